"""Side-by-side runs against other libraries; never imported by the package."""
