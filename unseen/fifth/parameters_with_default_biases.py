# function: editor_parameters
# wrong: counts the biases that torch.nn.Linear has by default
def editor_parameters(kind, d_out, d_in, rank):
    if kind == "factors":
        with torch.device("meta"):
            mlp = torch.nn.Sequential(
                torch.nn.Linear(d_in + d_out, rank),
                torch.nn.ReLU(),
                torch.nn.Linear(rank, d_in + d_out),
            )
        return sum(p.numel() for p in mlp.parameters())
    return {"full": (d_out * d_in) ** 2, "diagonal": d_out * d_in, "rows": d_out}[kind]
