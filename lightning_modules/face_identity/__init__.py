"""Who is in a picture; the networks stand in ``zoo.faces.recognition`` and ``zoo.nn``, where other models use them."""
