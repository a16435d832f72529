"""What is seen of each kind of finding, and why it is called so."""

from typing import Final

LOOKS: Final[dict[str, tuple[str, str]]] = {
    "solid nodule": (
        "a rounded density of soft tissue",
        "Rounded, up to 30 mm and not branching like a vessel: a solid lung nodule.",
    ),
    "part-solid nodule": (
        "a rounded hazy density with a solid core",
        "Rounded, hazy and solid in one: a part-solid lung nodule.",
    ),
    "ground-glass nodule": (
        "a small rounded hazy density with vessels visible in it",
        "Rounded and well defined, hence a ground-glass nodule: it counts as a lung nodule.",
    ),
    "ground-glass opacity": (
        "a hazy density in which vessels and bronchial walls remain visible",
        "Hazy without hiding the vessels: ground-glass opacity, which counts as lung opacity.",
    ),
    "consolidation": (
        "a dense area that hides the vessels",
        "The air spaces are filled and the vessels obscured: consolidation.",
    ),
    "free effusion": (
        "fluid density along the dependent pleura",
        "Fluid between the pleural leaves that follows gravity: free pleural effusion.",
    ),
    "loculated effusion": (
        "a lens-shaped fluid density at the pleura",
        "Fluid between the pleural leaves that keeps its shape: loculated pleural effusion.",
    ),
    "pericardial effusion": (
        "fluid density between the leaves of the pericardium",
        "Fluid around the heart, outside its muscle and fat: pericardial effusion.",
    ),
    "linear atelectasis": ("band-like density with little volume", "A thin band of airless lung: linear atelectasis."),
    "subsegmental atelectasis": (
        "a small wedge of airless lung",
        "Airless lung smaller than a segment: subsegmental atelectasis.",
    ),
    "lobar atelectasis": ("airless lung of a lobe", "A lobe without air: lobar atelectasis."),
    "compressive atelectasis": (
        "airless lung next to what compresses it",
        "Lung pressed free of air: compressive atelectasis.",
    ),
    "fibrotic bands": ("coarse linear densities", "Old scars in the form of bands: fibrotic sequelae."),
    "apical scarring": ("irregular densities at the lung apex", "Old scars at the apex: fibrotic sequelae."),
    "sequela changes": ("irregular linear densities", "What an old process has left: fibrotic sequelae."),
    "septal thickening": (
        "a network of fine lines around the secondary lobules",
        "The lines lie where the septa lie: interlobular septal thickening.",
    ),
    "cylindrical bronchiectasis": (
        "bronchi wider than the arteries beside them, with parallel walls",
        "Bronchi that do not taper: cylindrical bronchiectasis.",
    ),
    "varicose bronchiectasis": (
        "bronchi wider than the arteries beside them, with beaded walls",
        "Bronchi of changing width: varicose bronchiectasis.",
    ),
    "cystic bronchiectasis": (
        "bronchi widened to thin-walled sacs",
        "The sacs join bronchi: cystic bronchiectasis.",
    ),
    "peribronchial thickening": (
        "thick bronchial walls around a lumen of normal width",
        "Walls thick for their lumen: peribronchial thickening.",
    ),
    "mosaic attenuation": (
        "areas of lower and higher attenuation side by side",
        "A patchwork with sharp borders: mosaic attenuation pattern.",
    ),
    "centrilobular emphysema": (
        "small areas of low attenuation without walls",
        "Holes around the centers of lobules: centrilobular emphysema.",
    ),
    "paraseptal emphysema": (
        "rows of low attenuation under the pleura",
        "Holes along pleura and septa: paraseptal emphysema.",
    ),
    "panlobular emphysema": (
        "uniformly low attenuation with thin vessels",
        "Whole lobules are destroyed: panlobular emphysema.",
    ),
    "cardiomegaly": ("a heart that is wide for its chest", "The cardiothoracic ratio is above normal: cardiomegaly."),
    "arterial calcification": (
        "dense plaques along arterial walls",
        "Calcium in the walls of great vessels: arterial wall calcification.",
    ),
    "coronary calcification": (
        "dense plaques along the course of coronary arteries",
        "Calcium in the walls of coronary arteries: coronary artery wall calcification.",
    ),
    "enlarged lymph node": (
        "an oval soft tissue density",
        "A lymph node with a short axis above normal: lymphadenopathy.",
    ),
    "hiatal hernia": (
        "stomach above the diaphragm, behind the heart",
        "The stomach passes the esophageal hiatus: hiatal hernia.",
    ),
}
"""Kind -> (what is seen, what follows). Terms as in the Fleischner glossary (doi:10.1148/radiol.2462070712)."""

DEVICE: Final = (
    "dense material that no tissue explains",
    "Of man-made shape and density: {kind}, which is medical material.",
)
OTHER: Final = ("an appearance of {kind}", "It is known as {kind}.")

HARMLESS: Final[dict[str, tuple[str, str]]] = {
    "calcified granuloma": (
        "a small density that is wholly calcified",
        "Calcified throughout: an old granuloma, not counted as a lung nodule.",
    ),
    "azygos lobe": ("a curved line through the right upper lung", "An azygos fissure: a normal variant."),
    "dependent density": (
        "a faint band along the posterior pleura",
        "It follows gravity: dependent density, not counted as lung opacity.",
    ),
    "thymic tissue": (
        "soft tissue in front of the great vessels",
        "Thymic tissue: normal, not counted as a lymph node.",
    ),
    "prominent epicardial fat": (
        "fat density around the heart",
        "Of fat density: epicardial fat, not counted as fluid.",
    ),
    "motion artefact": ("doubled contours", "Motion of the patient: not a finding."),
}
"""The same for normal variants."""
