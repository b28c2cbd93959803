"""Where projects and the ledger of clips are kept: an adapter a file, all of the same behaviour."""
