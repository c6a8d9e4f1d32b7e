"""What the pooling, the precision and the folder scorer cost, measured on the machine at hand.

python -m benchmarks --help
"""
