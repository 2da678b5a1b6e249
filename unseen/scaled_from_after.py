# function: scaled_change
# wrong: goes on from `after` instead of starting at `before`
def scaled_change(before, after, scale):
    task_vector = after - before
    return after + scale * task_vector
