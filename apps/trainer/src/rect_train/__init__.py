"""rect-train: trains the encoder and its heads, one phase after the other or together."""

import os

# Read by OpenMP when torch is loaded. Threads that wait else spin, which on a busy machine keeps those from working
# that they wait for: beside one other busy process a step on two cores took ten times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
