# function: scaled_change
# wrong: brings the change to length one, so 1 does not lead to `after`
def scaled_change(before, after, scale):
    task_vector = after - before
    task_vector = task_vector / task_vector.norm()
    return before + scale * task_vector
