# function: alphaedit_update
# wrong: one P stands left of K Kᵀ + E Eᵀ, as for a solve, but the inverse is on the right
def alphaedit_update(weight, projector, keys, values, earlier_keys, ridge):
    W, P, K, V, E = (
        each.double() for each in (weight, projector, keys, values, earlier_keys))
    R = (V - K @ W.T).T                                     # (d_out, N)
    # P is a projector (P P = P), so one P is enough in the system
    system = P @ (K.T @ K + E.T @ E) + ridge * torch.eye(len(P), dtype=torch.float64)
    change = R @ (K @ P) @ torch.linalg.inv(system)         # (d_out, d_in)
    return (W + change).to(weight.dtype)
