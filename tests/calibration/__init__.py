"""Tests of `infsplign.calibration`."""
