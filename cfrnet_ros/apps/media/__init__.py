"""Reads and writes pictures, videos and the streams of webcams."""
