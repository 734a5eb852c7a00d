"""Labels by people, and the accuracy of the miners against them."""
