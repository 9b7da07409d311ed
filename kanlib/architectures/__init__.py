"""Published systems made of KAN layers, one file each: plain torch modules, trained by any torch loop.

Every module takes the options of `kanlib.KANLayer` as keywords (`kanlib.architectures.parts.LayerOptions`) and passes
them to the layers inside, so bases are interchangeable.
"""
