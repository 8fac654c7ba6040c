"""`volaug preview`: what a pipeline does to one image, as a picture or a page."""
