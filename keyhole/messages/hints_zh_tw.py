"""Hints in Traditional Chinese, in the order of hints_en.py, which says what an entry holds."""

HINTS = {
    # 1_measure
    "sequence_nll": (
        "機率要從 logits 的 softmax 讀出來。第 i 列預測目標的第 i 個 token，"
        "所以每一列只有一個數字算數：那個 token 自己的。",
        "`logits.log_softmax(dim=-1)` 會給對數機率 `(T, V)`，也不會有指數溢位。每一列取一個數字："
        "同時用 `torch.arange(T)` 和 `target_ids` 當索引，或用 `gather`。"
        "最後對 T 個 token 取平均，再加負號。",
        "(T,)：第 i 列裡，目標第 i 個 token 的那個數字",
    ),
    "efficacy": (
        "對每個題目問一個是非題：新目標的機率比原本的答案高嗎？"
        "機率比較高的答案，NLL 比較小；平手算「否」。",
        "兩個 `(N,)` 的 tensor 相比，會得到 N 個真假值。"
        "`mean()` 不接受真假值，要先用 `.float()` 變成數字。",
        "(N,) 個真假值：這一題是新目標贏嗎？",
    ),
    "neighborhood": (
        "和 `efficacy` 一樣，只是這裡應該由原本的答案領先。平手在這裡也算失敗，"
        "所以它不是 `1 - efficacy`。",
        "一題一題比較 `nll_true` 和 `nll_new`，不含相等。然後 `.float()`，再 `.mean()`。",
        "(N,) 個真假值：這個鄰居保住它的答案了嗎？",
    ),
    "edit_score": (
        "調和平均是「比例的個數」除以「各比例倒數的總和」。"
        "比例是 0 就沒有倒數，這時分數本來就是 0。",
        "這些比例是一般的數字，可能是 Python 的 float："
        "用 `min`、`sum` 和 `/`，不要用 tensor 的方法。"
        "其中一個正好是 0，就先回傳。",
        "3 除以三個倒數的總和",
    ),
    # 2_locate
    "corrupt": (
        "把同一份 embedding 複製 n 份，再把各自的雜訊加到每一份上，只加在主詞的 token。",
        "`embeddings.repeat(n, 1, 1)` 是新的 tensor `(n, T, d)`；`expand` 會共用記憶體。"
        "`corrupted[:, subject]` 的形狀是 `(n, |subject|, d)`，和 `noise` 一樣。",
        "在每個樣本裡，把雜訊加到主詞的 token 上",
    ),
    "restore": (
        "複製所有樣本的狀態，再用乾淨的狀態蓋掉其中一個 token。"
        "乾淨的那次執行沒有分樣本，所以每個樣本都換成同一個狀態。",
        "`hidden.clone()` 是新的 tensor `(n, T, d)`。`restored[:, position]` 是 `(n, d)`，"
        "`clean[position]` 是 `(d,)`，torch 會把它抄到每個樣本。",
        "在每個樣本裡，`position` 的 token 換成乾淨的狀態",
    ),
    "indirect_effect": (
        "還原那個狀態帶回了多少？用「還原時的機率」減去「沒還原時的機率」；負的效應就保持負的。",
        "兩個引數都是 `(n,)`，每個樣本一個數字。用 `.mean()`，不要取絕對值。",
        "還原時的平均，減去沒還原時的平均",
    ),
    "trace": (
        "先乾淨地跑一次，記下每一層的輸出。然後每一格都把遮蓋後的 prompt 跑一次，"
        "用 hook 在一個 token 上放回乾淨的輸出，再讀乾淨答案的機率。",
        "`model.block(layer)`、`model.mlp(layer)`、`model.attention(layer)` 是各個部分，"
        "`model.n_layers` 是層數。`record(part) as seen` 之後，`seen.output[0]` 是 `(T, d)`。"
        "用 `functools.partial` 把層固定給每個 hook：迴圈裡的 `lambda` 只會看到最後一層。",
        "視窗的起點和終點（不含終點），切在 0 和 n_layers",
        "在 part(each) 上放一個 hook，把 `position` 還原成它乾淨的輸出",
    ),
    # 3_edit
    "subject_key": (
        "key 是主詞最後一個 token 進入 W 的東西。每個前綴都會把主詞往右推，"
        "所以在每段文字裡都要重新找那個 token，最後把 key 平均。",
        "`record(model.memory(layer), stop=True) as seen` 會留下輸入，`seen.input[0]` 的形狀是 "
        "`(T, d_in)`。`model.subject_slice(text, subject)` 是一個 slice，它的 `stop` 多走了一格。"
        "`torch.stack` 會把 key 疊成 `(N, d_in)`。",
        "主詞最後一個 token 在 `text` 裡的編號",
    ),
    "second_moment": (
        "C 是許多外積 k kᵀ 的總和，每個 key 一個。"
        "key 排成列的話，一次矩陣相乘就夠了。不要減掉平均。",
        "`keys` 是 `(N, d_in)`，C 是 `(d_in, d_in)`：所以要加總的是 N。只需要 `.T` 和 `@`。",
        "(d_in, d_in)：所有 key 的 k kᵀ 的總和",
    ),
    "value_objective": (
        "一共三項：說出目標、主詞後面的話不變、保持小。KL 用模型「現在」的機率當權重。",
        "對數機率都已經算好，不要再做 softmax。KL(now ‖ before) 是在整個詞彙表 `(V,)` 上加總 "
        "p · (log p − log q)。`delta.norm()` 就是 |δ|。一直用 torch 計算，梯度才傳得過去。",
        "用兩個 對數分布算 KL(now ‖ before)",
    ),
    "rank_one_update": (
        "改變量是一個行向量乘一個列向量。行向量是 k* 還差多少，列向量是對 k* 有反應的 C⁻¹k*。"
        "再用一個數字讓條件剛好成立。",
        "`torch.linalg.solve(A, b)` 會給 A⁻¹b。`torch.outer(column, row)` 是 `(d_out, d_in)`。"
        "用 `.double()` 計算，最後把改變量換成 W 的 dtype。",
        "(d_in,)，float64：C⁻¹k*",
    ),
    "write_edit": (
        "要問模組的型別 W 是怎麼存的，不要看形狀。然後把數字抄進原本的權重裡。",
        "`isinstance(module, torch.nn.Linear)` 可以分辨兩者；Conv1D 存的是轉置。"
        "在 `torch.no_grad()` 底下用 `module.weight.copy_(...)`，就是就地寫入。",
        "Ŵ 在這種模組裡存成的樣子",
    ),
    "my_record": (
        "選一個模型知道的事實，主詞前面要先有幾個字。決定之前先問問 `top_answers`。",
        '目標前面要有空格：`" Rome"`。每個 paraphrase 都要有主詞；'
        "鄰居問的是別的主詞，各有自己原本的答案。",
        "一個停在答案前面的句子，主詞前面至少有一個字",
    ),
    # 4_scale
    "demonstrations": (
        "照 key 和新事實的相似程度，把範例排名。種類先分給最相似的；"
        "在文字裡順序相反，最相似的排在最後。",
        "`torch.cosine_similarity(keys, key[None])` 是 `(N,)`。"
        "`argsort(descending=True)` 會給範例的編號。"
        "`torch.stack([...], dim=1)` 會排成一列一列，`.flip(0)` 會把順序倒過來。",
        "(count,)：最相似的範例，最相似的在前",
    ),
    "locality_loss": (
        "一共三項：學會目標、其他 prompt 的回答不變、記得模型自己的文字。"
        "KL 用模型「之前」的機率當權重。",
        "KL(before ‖ now) 是在詞彙表上，也就是 `(N, V)` 的最後一個維度，加總 "
        "p_before · (log p_before − log p_now)。然後對 N 個 prompt 取平均。",
        "每個 prompt 的 KL(before ‖ now)，再取平均",
    ),
    "scaled_change": (
        "訓練把權重從 `before` 移到 `after`。從 `before` 出發，只走 `scale` 倍的路。",
        "所有 tensor 的形狀都一樣。scale 是 0 或 1 的時候，結果也必須是新的 tensor。",
        "訓練把權重改變了多少",
    ),
    "memit_update": (
        "和 ROME 一樣，但一次有很多 key，而且要在舊的 key 和新的 key 之間取捨："
        "方程組裡，λC 代表舊的，K Kᵀ 代表新的。",
        "事實排成列：公式裡的 K Kᵀ 是 `keys.T @ keys`，形狀 `(d_in, d_in)`；R Kᵀ 是 "
        "`residual.T @ keys`。因為方程組是對稱的，`torch.linalg.solve(system, keys.T @ residual)` "
        "就是改變量的轉置。",
        "(d_in, d_in)：λC 加上新的 key 的部分",
    ),
    "spread_residual": (
        "現在還差的，由還沒做的幾層平分，這一層也算在內。最後一層要全部做完。",
        "`layers.index(layer)` 是已經做完幾層。層的編號可能不連續，所以不要拿編號相減。",
        "還有幾層沒做，這一層也算在內",
    ),
    "null_space_projector": (
        "C 的特徵值很小的特徵向量，就是舊的 key 幾乎不用的方向。"
        "把它們當作 U 的行（column），投影就是 U Uᵀ。",
        "`values, vectors = torch.linalg.eigh(...)`：`values` 是 `(d_in,)`，特徵向量是 `vectors` 的"
        "「行」（column）。每一行給一個真假值，就能挑出那些行：`vectors[:, chosen]`。",
        "(d_in, 方向數)：特徵值低於門檻的那些行",
    ),
    "alphaedit_update": (
        "和 MEMIT 一樣，只是方程組裡用投影過的 key。殘差則是用原本的 key 算還差多少。",
        "同樣排成列：P 是對稱的，所以 `keys @ projector` 就是投影。方程組是 `(d_in, d_in)`，"
        "對角線加上 ρ：`torch.eye(d_in, dtype=torch.float64)`。"
        "`earlier_keys` 沒有列的時候，自然就是加 0。",
        "(d_in, d_in)：新的 key 的部分、先前的 key 的部分，以及 ρI",
    ),
    # 5_learn_to_edit
    "editor_loss": (
        "一共兩項：說出要的 token，其他 prompt 的回答不變。"
        "不管在哪段文字裡，所有要的 token 一起取一次平均。",
        "`torch.nn.functional.nll_loss` 接受 對數機率 `(tokens, V)` 和 id `(tokens,)`，"
        "會自己略過 −100。"
        "`flatten(0, 1)` 把文字和 token 併在一起。",
        "所有要的 token 的平均 NLL，不算標成 −100 的",
    ),
    "editor_parameters": (
        "數一數每種映射有幾個數字。從 a 個數字到 b 個數字的線性映射，有 a · b 個。",
        "一個矩陣的梯度有 `d_out * d_in` 個數字，改變量也是。MEND 把 `d_in + d_out` 個數字"
        "降到 `rank` 個，再升回來：兩個矩陣，沒有 bias。",
        "從梯度的每個數字到改變量的每個數字",
        "降下去再升回來：兩個矩陣",
    ),
    "rate_update": (
        "逆著梯度走一步，每個數字乘上自己的學習率。每一列的學習率要對到那一列，不是行。",
        "torch 是從「最後」一個維度對齊的：`(d_out,)` 會對到行。先把它變成 `(d_out, 1)`。"
        "這一步要讓 loss 變小，注意正負號。",
        "(d_out, 1)：每一列一個學習率",
    ),
    "gradient_from_factors": (
        "每段文字的每個 token 都給一個外積 δ uᵀ。外積的總和，就是一次矩陣相乘。",
        "`flatten(0, 1)` 把文字和 token 併在一起：`(N·T, d_in)` 和 `(N·T, d_out)`。"
        "結果是 `(d_out, d_in)`，所以要加總的是 N·T。用 `einsum` 也可以。",
        "(d_out, d_in)：所有列的 δ uᵀ 的總和",
    ),
    "transform_factors": (
        "把 u 和 δ 並排，讓每個數字的大小差不多，再把小網路算出來的加到原本的上面。",
        "`torch.cat([...], dim=1)` 是 `(T, d_in + d_out)`。token 排成列，所以公式裡的 D ẑ 是 "
        "`normed @ down.T`，形狀 `(T, rank)`。",
        "ẑ + U relu(D ẑ)，所有的列一起算",
    ),
    "low_rank_output": (
        "換個順序相乘：先拿 key 和 u 比，每個 key 得到 T 個數字，再照這些量把 δ 加起來。"
        "這樣就不需要 `(d_out, d_in)` 的矩陣。",
        "`inputs` 是 `(T, d_in)`，`keys` 是 `(..., d_in)`：用 `@` 和 `.T` 會得到 `(..., T)`。"
        "再乘上 `output_grads` `(T, d_out)`，就是 `(..., d_out)`。",
        "(..., T)：每個 key 裡有多少各個 u",
    ),
}
