"""The rules of measuring: amounts, orders, when a stack is steady."""
