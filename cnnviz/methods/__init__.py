"""What a paper says: one file per method, a function and its frozen result; torch only."""
