"""The staff's side in Traditional Chinese.

The tables, their names and the gaps to fill in are those of en.py.
"""

SENTENCES = {
    # in the place of a test's result
    "unreadable": "筆記本讀不出來，所以這項測試沒有執行。",
    "not_run_again": "沒有執行：`{function}` 在前面的測試已經超過時間，這一項也算超過時間。",
    "our_fault": "評分程式自己在這項測試出了錯；請告訴助教。",
    "failed": "`{function}` {failure}",
    "not_defined": "你的定義沒有成功執行：{failure}",
    "shapes_disagree": "`{function}` 執行到一半就停了，因為形狀對不起來。",
    # the reason of a whole submission
    "our_fault_on": "評分程式自己在 {tests} 出了錯；原因寫在它的錯誤輸出裡。",
    "our_fault_whole": "評分程式自己在評這份作業時出了錯；原因寫在它的錯誤輸出裡。",
    "not_started": "沙箱沒有啟動：{error}。",
    "not_prepared": "沙箱沒有啟動：它{error}",
    "no_folder": "沒有暫存資料夾可以給這份作業用：{error}。",
    # where a notebook was found
    "folder_absent": "這位學生沒有 {folder} 資料夾。",
    "place_linked": "`{place}` 是符號連結，評分程式不會跟著它走：請交資料夾本身。",
    "only_links": "找不到 {file}，除非它在 {links} 後面。評分程式不跟著符號連結走：請交檔案本身。",
    "unread": "`{place}` 讀不到（{why}）。請助教讓評分程式讀得到它，然後重新評分。",
    "only_others": "沒有 {file}，現有的筆記本也都不是它：{others}。",
    "none_at_all": "沒有 {file}，也沒有別的筆記本。",
    "only_these": "沒有 {file}，也沒有別的筆記本；現有的是：{others}。",
    "archive_closed": (
        "找不到 {file}，除非它在 {archives} 裡面。"
        "評分程式只打開沒有包在其他壓縮檔裡的 .zip：請把筆記本本身放在資料夾裡繳交。"
    ),
    "other_form": "沒有 {file}，只有 {other}，而它不是筆記本：請交 .ipynb 檔案本身。",
    "not_this": "{file} 裡沒有任何要評分的儲存格：它是別的筆記本，或是儲存格被刪掉了。",
    "found": "{file} 不在該在的地方；從內容看，`{other}` 就是它，所以採用了。",
    "found_among": (
        "{file} 不在該在的地方；可能是它的筆記本有 {count} 份，採用填好的函式最多的 `{other}`。"
    ),
    "found_tied": "{others} 也可能是它，填好的函式一樣多；採用名稱排在最後的那一份。",
    "not_all_read": "可能是 {file} 的筆記本太多或太大，沒有全部看過。",
    "still_blank": "{file} 裡的函式都還沒有填。",
    "taken_instead": "改採用 `{other}`。",
    "also_there": "除了 {file} 之外還有 {others}；採用的是 {file} 本身。",
    "zip_opened": "筆記本是從 {zip} 裡取出來的。",
    "zip_damaged": "{zip} 打不開：請把筆記本本身放在資料夾裡繳交。",
    "zip_locked": "{zip} 要密碼：請把筆記本本身放在資料夾裡繳交。",
    "zip_too_large": "{zip} 解開後超過 {limit} MB：請把清除輸出的筆記本放在資料夾裡繳交。",
    "no_room": "{zip} 沒有解開，因為評分程式沒有空間放暫存檔；請告訴助教。",
    "files_elsewhere": "{file} 旁邊沒有要一起繳交的檔案；採用 {place} 裡的 {files}。",
    "file_renamed": "沒有 {file}；從名稱看，`{other}` 就是它，所以採用了。",
    "time_unreadable": (
        "timestamp.txt 裡沒有讀得懂的時間，所以這份作業沒有繳交時間；如果有影響，請告訴助教。"
    ),
    # what was mended in a notebook
    "marks_lost": "{file} 的 nbgrader 標記不見了，所以依函式名稱找出要評分的函式。",
    "cells_recovered": "{file} 裡 {cells} 的標記不見了；已經從內容找回來。",
    "cells_twice": "{file} 裡有要評分的儲存格重複出現；採用的是{cells}。",
    "defined_twice": "{file} 裡有函式定義了不只一次；採用的是{cells}。",
    "functions_elsewhere": "{file} 裡有函式不在自己的儲存格裡；照它所在的地方評分：{cells}。",
    "placed": "第 {number} 個儲存格的 {cell}",
    "cells_missing": "{file} 裡缺少一些儲存格，照發下來的樣子計算：{cells}。",
    "cells_reordered": "{file} 裡要評分的儲存格和發下來的順序不同；每一個都照所在的位置評分。",
    "kinds_changed": "{file} 裡有儲存格被改成了文字，還是當作程式來讀：{cells}。",
    "marks_changed": "{file} 裡 {cells} 的 nbgrader 標記被改過；以發下來的為準。",
    "ids_repeated": "{file} 有好幾個儲存格的 id 相同；還是各自當作一個儲存格來讀。",
    "kernel": "{file} 指定的核心是 {language}；還是當作 Python 來評分。",
    "stood_in": "這裡放的是發下來時的筆記本。",
    "shown_in_part": "這裡只顯示 {file} 的前 {most} 個字元。",
    "notes": "評分程式對這份筆記本的說明",
    # the feedback page
    "no_tests": "評分程式沒有這個儲存格的測試；請告訴助教。",
    "our_fault_here": "評分程式自己在這裡出了錯，這個儲存格暫時顯示 0 分；請告訴助教。",
    "isolation": "隔離等級 {level}。",
    "result": "結果",
    "points": "得分",
    "test": "測試",
    "seen": "評分程式看到的",
    # 發下去的筆記本最前面的兩格
    "colab_open": "在 Colab 開啟",
    "colab_upload": "要在 Google Colab 上做作業，請把這個檔案上傳到[那裡]({address})，"
    "再執行下一格。在自己電腦上的 Jupyter 裡，直接往下讀即可。",
    "colab_comment": "# 在 Google Colab 請先執行這一格：它會安裝 Keyhole 和 Colab 缺少的套件，\n"
    "# 不會更動 torch 和 numpy。在其他電腦上，這一格什麼都不做。",
    "colab_choose": "請選擇課程提供的 keyhole_homework-….whl，並一起選擇你已完成的筆記本。",
    "colab_unfit": "Keyhole 需要 {need}，而 Colab 上是 {found}：請告訴老師或助教。",
    "colab_ready": "Keyhole 已可使用。模型（93 MB）會在第一次用到時下載，占 0.6 GB 硬碟空間，"
    "執行時需要 1 到 2.5 GB 記憶體。",
    "colab_leave": "Colab 不會保留檔案：離開前請下載筆記本、my_fact.json 和 my_edit.safetensors。",
    # the challenge
    "challenge": "挑戰：一次植入 40 個事實",
    "challenge_points": (
        "加分：{points} / {most} 分，另計於課程的 100 分之外。你在排行榜上的代號是 {pseudonym}。"
    ),
    "challenge_measured": (
        "用這 40 個事實的隱藏題目、以生成方式測量，S 是 {S}（efficacy {efficacy}、paraphrase "
        "{paraphrase}、neighborhood {neighborhood}）。改變的大小是 {size}，隱藏文本的 perplexity "
        "從 {before} 變成 {after}。"
    ),
    "challenge_text": "因為 perplexity 上升超過 {percent} %，所以沒有分數。",
    "challenge_passed": "你通過了：{names}。",
    "challenge_none": "你還沒有通過任何 baseline。",
    "challenge_failed": "評分程式自己在這個挑戰出了錯；請告訴助教。",
    "baseline_simple": "simple 基準（fine-tuning）",
    "baseline_medium": "medium 基準（ROME）",
    "baseline_strong": "strong 基準（MEMIT）",
    "baseline_boss": "boss 基準",
    # the board
    "board_title": "排行榜：一個模型，40 個事實",
    "board_about": (
        "S 以生成方式計算，用的是這 40 個事實的隱藏換句話說與鄰近問題：越高越好。"
        "你的代號寫在你的回饋頁上。"
    ),
    "board_empty": "還沒有人交出可以測量的檔案。",
    "board_unusable": "另有 {count} 人交的檔案不能用。",
    "board_hollow": "空心的記號：perplexity 上升超過 {percent} %，沒有分數。",
    "board_place": "名次",
    "board_who": "代號",
    "board_size": "改變的大小",
    "board_perplexity": "困惑度",
    "board_points": "加分",
    "board_baseline": "基準",
    "board_picture": "S 與改變的大小",
}

# By the codes of sandbox/failures.py. The function is the subject, unless a sentence has another.
FAILURES = {
    "stub": "還會發生 NotImplementedError：空白還沒有填。",
    "absent": "沒有函式 `{detail}`。",
    "definitions": "你的定義沒有成功執行：{detail}。",
    "raised": "發生了錯誤「{detail}」。",
    "none": "回傳了 None：是不是忘了 `return`？",
    "type": "回傳了 {detail}，不是 tensor。",
    "device": "回傳的 tensor 在 {detail} 裝置上，裡面沒有數字。",
    "layout": "回傳的 tensor 的 layout 是 {detail}，不是一般的（dense）tensor。",
    "dtype": "回傳的 tensor 的 dtype 是 {detail}，無法評分。",
    "big": "回傳了 {detail}，這麼大不可能是對的。",
    "memory": "把記憶體用完了：上限是 {detail} MB。",
    "memory_step": (
        "執行 {detail}（這一步要用的／全部的上限）時記憶體不夠了："
        "請想一個不必產生這麼大的 tensor 的做法。"
    ),
    "timeout": "執行超過 {detail} 秒，被停下來了：是不是有停不了的迴圈？",
    "cpu": "用了超過 {detail} 秒的處理器時間，被停下來了。",
    "submission": (
        "沒有執行完：一份作業的所有函式加起來最多只能執行 {detail} 秒，這些時間已經用完了。"
    ),
    "exited": "還沒有回傳，就把自己的行程結束了（結束狀態 {detail}）。",
    "crashed": "還沒有回傳，就讓自己的行程當掉了（{detail}）。",
    "killed": "被系統強制結束了，多半是因為電腦的記憶體用完了。",
    "lost": (
        "兩次都和啟動它的行程一起消失了：可能是它把那個行程結束了，也可能是電腦的記憶體用完了。"
    ),
    "garbled": "送回的內容讀不出來（「{detail}」）。",
}

SIGNS = {
    "pass": "✓ 通過",
    "fail": "✗ 還沒過",
    "missing": "– 缺少",
    "error": "✗ 發生錯誤",
    "timeout": "✗ 太慢",
}

TITLES = {
    "sequence_nll.tokens": "六個 token 的目標，有些編號在字彙表的頭尾",
    "sequence_nll.repeated": "同一個 token 在目標裡出現兩次，有隔開的，也有相鄰的",
    "sequence_nll.large": "數值約 300 的 logits",
    "sequence_nll.improbable": "幾乎不可能出現的 token",
    "sequence_nll.real": "真正的模型上，好幾個 token 的目標",
    "efficacy.mixed": "有的題目如預期，有的沒有",
    "efficacy.close": "只差千分之幾",
    "neighborhood.mixed": "有的題目如預期，有的沒有",
    "neighborhood.ties": "有幾題平手",
    "neighborhood.close": "只差千分之幾",
    "neighborhood.one": "只有一題",
    "edit_score.zero": "有一個比例是 0，或接近 0",
    "corrupt.middle": "主詞在 prompt 中間",
    "corrupt.end": "主詞在結尾",
    "restore.middle": "中間的 token，四個樣本",
    "trace.state_llama": "Llama 式小模型的狀態",
    "trace.state_gpt2": "GPT-2 式小模型的狀態",
    "trace.mlp": "三層 MLP 輸出的視窗，換一個引數再問一次",
    "trace.attention": "三層 attention 輸出的視窗",
    "trace.window_start": "視窗從第 0 層之前開始",
    "trace.window_end": "視窗超過最後一層",
    "trace.window_even": "層數是偶數的視窗，以及其他寬度",
    "trace.given_noise": "每一格都用給定的雜訊",
    "trace.one_sample": "只有一個雜訊樣本",
    "trace.real": "真正的模型上，圖裡的幾格",
    "subject_key.llama": "Llama 式小模型上的 k*",
    "subject_key.gpt2": "GPT-2 式小模型上的 k*，換一個引數再問一次",
    "subject_key.real": "真正的模型第 5 層，一個事實的 k*",
    "second_moment.small": "數值約 0.001 的 key",
    "second_moment.real": "真正的模型第 5 層的 key",
    "value_objective.value": "只有目標那一項",
    "value_objective.divergence": "KL 項",
    "value_objective.decay": "decay 項",
    "value_objective.gradient": "所有的項，以及它們的梯度",
    "rank_one_update.conditioned": "條件數為 10,000 的 C",
    "rank_one_update.large_keys": "數值約 1,000 的 key",
    "rank_one_update.rank": "Ŵ − W 的秩是一",
    "rank_one_update.real": "真正的模型第 5 層的 W 和 C",
    "rank_one_update.reference": "真正的模型上各個事實的參考矩陣",
    "rank_one_update.efficacy": "用你的 Ŵ 重新跑指標：efficacy",
    "rank_one_update.paraphrase": "用你的 Ŵ 重新跑指標：paraphrase",
    "rank_one_update.neighborhood": "用你的 Ŵ 重新跑指標：neighborhood",
    "rank_one_update.reversion": "用你的 Ŵ 重新跑指標：reversion（只報告，不計分）",
    "rank_one_update.portability": "用你的 Ŵ 重新跑指標：portability（只報告，不計分）",
    "write_edit.linear": "一個 Linear",
    "write_edit.conv1d": "一個 Conv1D",
    "write_edit.square": "方陣的 W，放在 Conv1D 和 Linear 裡",
    "write_edit.bias": "有 bias 的模組",
    "write_edit.in_place": "寫進模組自己的 Parameter",
    "my_edit.form": "兩個檔案都讀得出來",
    "my_edit.known": "模型原本知道正確答案",
    "my_edit.own": "這個事實不是作業裡已經有的",
    "my_edit.direction": "改動的方向是你那個事實的 C⁻¹ k*",
    "my_edit.value": "Ŵ k* = v*，而且 v* 會讓模型說出目標",
    "my_edit.original": "重新執行：編輯有效，在它的 prompt 上和你寫的一樣",
    "my_edit.paraphrase": "重新執行：paraphrase 的結果和你寫的一樣",
    "my_edit.neighborhood": "重新執行：鄰居的結果和你寫的一樣",
    "my_edit.reversion": "重新執行：reversion 的結果和你寫的一樣",
    "my_edit.portability": "重新執行：portability 的結果和你寫的一樣",
    "demonstrations.nearest": "九個範例，五種安排",
    "scaled_change.part": "一部分的改變量",
    "memit_update.wide": "五個事實，W 的行比列多",
    "memit_update.scale": "大三十倍的 C",
    "memit_update.one": "一個事實，舊的 key 權重很小",
    "memit_update.many": "事實比 key 的維度還多",
    "memit_update.real": "真正的模型第 5 層的 W 和 C，十二個事實",
    "spread_residual.middle": "中間的一層",
}
