"""The models as a run knows them: parameters, modules, and what is recorded of them."""
