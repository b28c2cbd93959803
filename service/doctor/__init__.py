"""`clips doctor`: examines an installation from the outside in; for money, also Runware itself."""
