"""Object stores, by fsspec: images and results that lie behind a URL such as `s3://bucket/birds`."""
