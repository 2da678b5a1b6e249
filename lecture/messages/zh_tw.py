"""示範頁面的臺灣繁體中文；各表的意義見 en.py。"""

SENTENCES = {
    "cancelled": "已停止，什麼都沒有改動。",
    "empty_prompt": "prompt 是空的：請寫一句還沒說完的話。",
    "empty_subject": "主詞是空的：請用 prompt 裡的字，寫出這句話在說誰或什麼。",
    "empty_target": "新答案是空的：請寫出模型該說什麼。",
    "prompt_long": "prompt 有 {count} 個 token，這裡最多 {most} 個：請縮短。",
    "target_long": "答案有 {count} 個 token，這裡最多 {most} 個：請縮短。",
    "blank_left_out": "prompt 最後的空格已經去掉：它屬於答案。",
    "traced_anyway": (
        "模型給 {answer!r} 的機率只有 {clean}：它不太知道這件事，但還是追蹤它的第一個答案。"
    ),
    "occurrence_taken": "{subject!r} 在 prompt 裡出現 {count} 次，這裡指的是第 {number} 個。",
    "out_of_range": "{what}必須在 {least} 到 {most} 之間，{got} 不行。",
    "at_the_start": "主詞是 prompt 的第一個 token，它的 key 和別的都不像：請在前面加幾個字。",
    "samples": "樣本數",
    "scale": "雜訊強度",
    "window": "視窗大小",
    "tokens": "token 數",
    "factor": "倍數",
    "no_choice": "這裡沒有 {choice!r}：請從 {known} 當中選一個。",
    "model_changed": "模型在這期間被改過了：請重新追蹤。",
    "undo_first": ("第 {layer} 層的 C 還沒有存檔，必須用剛載入時的模型來算：請先復原所有的編輯。"),
    "one_tuning": "模型已經微調過了：請先復原那一次。",
    "too_many": "已經植入 {most} 筆編輯：請先復原幾筆。",
    "nothing_planted": "還沒有植入任何編輯，沒有東西可以復原。",
    "not_rome": "只有 ROME 的編輯可以放大或縮小。",
    "file_unreadable": "無法讀取 {path}（{error}）：請重新下載這套教材，或重做這個檔案。",
}

EDITORS = {
    "fine-tuning": "微調",
    "rome": "逐筆 ROME",
    "in-context": "放進輸入",
    "memit": "整批 MEMIT",
    "memit-layers": "整批 MEMIT，第 3 到 5 層",
    "AlphaEdit": "整批 AlphaEdit",
    "one-step": "沒訓練過的一步",
    "row-rates": "每列一個學習率",
    "weight-rates": "每個權重一個學習率",
    "gate": "閘（gate）",
    "mend": "MEND 網路",
}

NOTES = {
    "fine-tuning": "一句接著一句，改動所有權重",
    "rome": "只改動一個矩陣",
    "in-context": "沒有改動任何權重：把句子放在 prompt 前面",
    "memit": "只改動一個矩陣",
    "memit-layers": "改動三個矩陣",
    "AlphaEdit": "只改動一個矩陣",
    "one-step": "沿著梯度，什麼都沒學",
    "row-rates": "學到每一列走多遠",
    "weight-rates": "學到每個權重走多遠，也就是對角的函數",
    "gate": "學到放哪些過去",
    "mend": "學到梯度的新因子",
}

MEASURES = {
    "score": "S（看機率）",
    "efficacy": "編輯成功率（看機率）",
    "paraphrase": "換句話說（看機率）",
    "neighborhood": "鄰居（看機率）",
    "score_generated": "S（看生成）",
    "efficacy_generated": "編輯成功率（看生成）",
    "paraphrase_generated": "換句話說（看生成）",
    "neighborhood_generated": "鄰居（看生成）",
    "perplexity": "流暢度：困惑度倍數",
    "seconds": "全部編輯的處理器秒數（單核心）",
}

COLUMNS = {
    "score": "分數 S",
    "efficacy": "成功率",
    "paraphrase": "換句話說",
    "neighborhood": "鄰居",
    "perplexity": "困惑度",
    "seconds": "秒數",
}
