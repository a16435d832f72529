"""A rule-based reader of chest CT reports: which of the 18 labels a text states, denies or leaves open, and where.

`label(text)` needs the standard library and the list of labels alone. The words stand in the files
`*_words.py`, the mechanism (after NegEx and ConText, clause by clause) in the others.

How a label is decided where authors differ:

- present > uncertain > absent, when a report mentions a label more than once. What is historical ("history of", "in the
  previous examination there was", clinical information, technique), or was not looked for ("not assessed", "could not
  be scored"), is a mention and does not count; what has resolved is absent; what "cannot be evaluated" is uncertain.
- "compatible with", "in favor of", "suggestive of", "likely" and "may" are uncertain; "consistent with" is present. A
  question in brackets or behind a comma is said of its own words: "opacity (atelectasis?)" is an opacity.
- Lung opacity: ground glass, infiltrates, tree-in-bud, unspecified opacities and density increases. A consolidation
  alone is Consolidation only; crazy paving is Lung opacity and Interlobular septal thickening, a ground-glass nodule
  Lung opacity and Lung nodule.
- Lymphadenopathy: called enlarged, pathological or conglomerate, or 10 mm and more (the smaller of two axes): present;
  smaller, millimetric, with a fatty hilum, of normal size: absent; lymph nodes that are only "observed": uncertain.
- Lung nodule: nodules, micronodules and granulomas of the lung; not masses, nor nodules of thyroid, adrenals or breast.
- Arterial wall calcification: aorta and other arteries, "atherosclerosis" included; coronary arteries have their own
  label; valves have none.
- Cardiomegaly: a normal heart, heart size or cardiothoracic ratio is "absent"; a single dilated chamber says nothing.
- Medical material: devices, and what an operation leaves ("sternotomy", "status post CABG"), not "history of CABG".
- Emphysema: bullae and blebs too; subcutaneous and mediastinal air do not count.
- Normal organs imply absence only where nothing else can be meant (heart size, bronchial walls, lymph nodes of normal
  size); "the lungs are clear" mentions no label.
"""

from rect_eval.labeler.read import label
from rect_eval.labeler.result import Labelled, Mention, State

__all__ = ["Labelled", "Mention", "State", "label"]
