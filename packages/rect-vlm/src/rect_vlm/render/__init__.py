"""Pictures of scans, lesions and regions, drawn with Pillow."""
