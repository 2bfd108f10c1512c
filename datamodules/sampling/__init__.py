"""What differs from sample to sample: light, pose, camera, coefficients, backgrounds, things in front of a face."""
