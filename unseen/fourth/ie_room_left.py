# function: indirect_effect
# wrong: divides each difference by 1 - corrupted, the room that was left to restore
def indirect_effect(restored, corrupted):
    # a sample that still says the answer leaves less to restore
    room = 1 - corrupted
    return ((restored - corrupted) / room).mean()
