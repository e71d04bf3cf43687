"""From images to an accuracy: where images come from, how they are held, and how a module is trained on them.

This room trains any `torch.nn.Module` and imports none of the other rooms. `source` and `recipe` do not load torch.
"""
