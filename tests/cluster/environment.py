"""A Slurm job of one task, as its environment tells Lightning and the command line."""

SLURM = {
    "SLURM_JOB_ID": "7",
    "SLURM_JOB_NAME": "reprice",
    "SLURM_NTASKS": "1",
    "SLURM_NTASKS_PER_NODE": "1",
    "SLURM_NNODES": "1",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
}
