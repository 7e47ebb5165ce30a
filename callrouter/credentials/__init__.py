"""What PINs and passwords share: their hashes, and lockouts after wrong ones."""
