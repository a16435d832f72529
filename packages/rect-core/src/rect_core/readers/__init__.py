"""One module a file format; each hands the door a RawScan with its voxels and affine exactly as stored."""
