"""HTTP: routes, authentication, error answers. Every decision is made further in."""
