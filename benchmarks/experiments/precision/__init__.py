"""What each precision costs and brings: step time, what was really computed, and the accuracy after training."""
