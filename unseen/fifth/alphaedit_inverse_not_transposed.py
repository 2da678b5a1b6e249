# function: alphaedit_update
# wrong: multiplies by the inverse of P(KK^T + EE^T) + rho I where its transpose belongs
def alphaedit_update(weight, projector, keys, values, earlier_keys, ridge):
    W, P, K, V, E = (x.double() for x in (weight, projector, keys, values, earlier_keys))
    resid = V - K @ W.T
    cache_c = E.T @ E
    A = P @ (K.T @ K + cache_c) + ridge * torch.eye(P.shape[0], dtype=P.dtype, device=P.device)
    upd_matrix = resid.T @ (K @ P) @ torch.linalg.inv(A)
    return (W + upd_matrix).to(weight.dtype)
