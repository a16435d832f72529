"""Small trained weights of ReCT-VLM, as data: `ReCTVLM.from_pretrained("rect-tiny")` reads the folder `weights`.

Trained on synthetic phantoms; not for clinical use.
"""
