"""Training loop, LoRA adapters and distributed training, shared by all trainings."""
