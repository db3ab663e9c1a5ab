"""Images made by optimisation: deep dream, class images, feature visualisation."""
