"""What is said of a setting that the object which it configures refuses."""

from hydra.errors import InstantiationException

from gpu_pricer.errors import InputError


def refused_setting(error: InstantiationException) -> str:
    """Return one line on what a configured object refused; the cause inside the instantiation comes first."""
    cause, key = error.__cause__ or error, str(error).rpartition("full_key: ")[2].strip()
    remedy = "" if isinstance(cause, InputError) else "; mend that key"
    return f"the configuration at {key} is not valid: {cause}{remedy}"
