"""68 landmarks of a face crop; the network stands in ``zoo.faces.landmarks``, where photos meet it."""
