"""Where jobs leave things for other jobs, beyond what the configuration names."""

NAIVE = "naive"  # in paths.work/train: the artefact with prices taken as they are, beside the corrected one
MEMBERS = "members"  # in paths.work/train: the artefact whose segments are the users, of the products bought most
