# function: scaled_change
# wrong: adds the scaled change to the trained weight, so scale 0 gives `after`
def scaled_change(before, after, scale):
    task_vector = after - before
    return after + scale * task_vector
