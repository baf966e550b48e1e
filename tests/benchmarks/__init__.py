"""What `make bench` measures: quality against floors, speed against peers."""
