"""Training loop, LoRA adapters and distributed training."""
