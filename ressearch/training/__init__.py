"""From images to an accuracy: where images come from, how they are held, and how a module is trained on them.

This room knows `torch.nn.Module` and nothing else of the package. `source` and `recipe` are torch-free.
"""
