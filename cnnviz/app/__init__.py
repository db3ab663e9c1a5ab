"""How every command runs: options, jobs, recipe, resume, JSON, console."""
