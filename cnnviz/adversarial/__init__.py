"""Changes that fool a network, judged as written files; physical patches; robustness."""
