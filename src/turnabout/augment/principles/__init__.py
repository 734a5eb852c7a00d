"""The augmenter of principles: rules that say which replies people prefer."""
