"""The command `gpu-pricer`: its words, its help, its tab completion, and the sweeps over settings that it starts."""
