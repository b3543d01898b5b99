"""Few-shot classification by filling in a word: PET, with plain or LoRA training.

"[MASK]满意。" before a review is filled with 很 or 不. Labelled texts teach the word,
and all texts, unlabelled ones too, masked language modelling.
Data: FewCLUE's json lines (a task of TASKS) in a folder of that name: train_SPLIT.json,
dev_SPLIT.json, test_public.json, unlabeled (optional). Measured: docs/prompts.md.
    python examples/task_pet.py --task eprstmt --data FOLDER --model FOLDER \
        --learning-rate 2e-5
https://kexue.fm/archives/7764
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras
import numpy as np

from bert4keras3.models import (
    build_transformer_model,
    cloze_model,
    masked_training_model,
)
from bert4keras3.snippets import BucketedGenerator, find_file
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Cloze, Evaluation
from bert4keras3.utils.prediction import predict_each

maxlen = 128
buckets = (32, 64, 128)  # lengths to pad to: compiled backends see these only
mask_rate = 0.15  # of the texts' own tokens
NEWS = "故事 文化 娱乐 体育 财经 房产 汽车 教育 科技 军事 旅游 国际 股票 农业 电竞"
NEWS_LABELS = (
    "story culture entertainment sports finance house car edu tech military travel "
    "world stock agriculture game"
)
# FewCLUE CSLDCP: the 67 disciplines, a word of two characters for each
DISCIPLINES = dict(
    one.split(":")
    for one in """
    材料科学与工程:材料 作物学:作物 口腔医学:口腔 药学:药物 教育学:教育 水利工程:水利
    理论经济学:经济 食品科学与工程:食品 畜牧学/兽医学:畜牧 体育学:体育
    核科学与技术:核能 力学:力学 园艺学:园艺 水产:水产 法学:法律
    地质学/地质资源与地质工程:地质 石油与天然气工程:石油 农林经济管理:农村
    信息与通信工程:通信 图书馆、情报与档案管理:图书 政治学:政治 电气工程:电气
    海洋科学:海洋 民族学:民族 航空宇航科学与技术:航空 化学/化学工程与技术:化学
    哲学:哲学 公共卫生与预防医学:卫生 艺术学:艺术 农业工程:农机 船舶与海洋工程:船舶
    计算机科学与技术:电脑 冶金工程:冶金 交通运输工程:交通 动力工程及工程热物理:动力
    纺织科学与工程:纺织 建筑学:建筑 环境科学与工程:环境 公共管理:行政 数学:数学
    物理学:物理 林学/林业工程:林业 心理学:心理 历史学:历史 工商管理:企业
    应用经济学:金融 中医学/中药学:中医 天文学:天文 机械工程:机械 土木工程:土木
    光学工程:光学 地理学:地理 农业资源利用:土壤 生物学/生物科学与工程:生物
    兵器科学与技术:武器 矿业工程:矿业 大气科学:大气 基础医学/临床医学:医学
    电子科学与技术:电子 测绘科学与技术:测绘 控制科学与工程:控制 军事学:军事
    中国语言文学:文学 新闻传播学:新闻 社会学:社会 地球物理学:地震 植物保护:虫害
    """.split()
)
# pattern, {label: word}
TASKS = {
    "eprstmt": ("[MASK]满意。{sentence}", {"Positive": "很", "Negative": "不"}),
    "bustm": ("意思[MASK]同：{sentence1}，{sentence2}", {"1": "相", "0": "不"}),
    "csl": ("用{keyword}概括[MASK]合适：{abst}", {"1": "很", "0": "不"}),
    "tnews": (
        "[MASK][MASK]新闻：{sentence}",
        {
            f"news_{label}": word
            for label, word in zip(NEWS_LABELS.split(), NEWS.split(), strict=True)
        },
    ),
    "ocnli": (
        "{sentence1}？[MASK][MASK]，{sentence2}",
        {"entailment": "是的", "neutral": "也许", "contradiction": "不是"},
    ),
    "csldcp": ("[MASK][MASK]论文：{content}", DISCIPLINES),
}


def read(path):
    """[{field: text}, ...] with "label", where there is one, as TASKS names it.

    Records labelled "-" (OCNLI: annotators did not agree) are left out.
    """
    lines = Path(path).read_text(encoding="utf-8").rstrip("\n").split("\n")
    records = [json.loads(line) for line in lines]
    records = [record for record in records if record.get("label") != "-"]
    for record in records:
        if "label_desc" in record:
            record["label"] = record["label_desc"]
        if "keyword" in record:
            record["keyword"] = "、".join(record["keyword"])
    return records


def build_models(args, cloze):
    """The model that trains, and the one that tells classes, of the same weights."""
    bert = build_transformer_model(
        args.model, with_mlm="linear", return_keras_model=False
    )
    if args.lora:
        bert.enable_lora(args.lora, targets=r"/(q|k|v|o|i\d*)$")
    trainer = masked_training_model(bert)
    trainer.compile(keras.optimizers.AdamW(args.learning_rate))
    return trainer, cloze_model(bert, cloze.words, cloze.mask_id)


def predict(model, cloze, records):
    """Number of the class of every record."""
    samples = [cloze.encode(record) for record in records]
    decode = lambda outputs, rows: list(np.argmax(outputs, axis=-1))  # noqa: E731
    return predict_each(model, samples, decode, buckets=buckets)


def accuracy(model, cloze, records):
    right = [cloze.index(record["label"]) for record in records]
    return float(np.mean(np.array(predict(model, cloze, records)) == right))


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--task", choices=sorted(TASKS), default="eprstmt")
    parser.add_argument("--data", default=here / "data" / "fewclue", help="folder")
    parser.add_argument("--split", default="few_all", help="few_all, or 0 to 4")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--weights", default="best_model.weights.h5")
    parser.add_argument("--lora", type=int, metavar="RANK", help="train LoRA alone")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    return parser.parse_args(argv)


def load_data(args):
    """Records for training, of them unlabelled ones; for dev; for test."""
    folder = Path(args.data) / args.task
    train, dev, test = (
        read(find_file(folder, part))[: 16 if args.smoke else None]
        for part in (f"train_{args.split}", f"dev_{args.split}", "test_public")
    )
    for path in sorted(folder.glob("*unlabeled*"))[:1]:
        train += read(path)[: 16 if args.smoke else None]
    return train, dev, test


def main(argv=None):
    args = parse(argv)
    keras.utils.set_random_seed(args.seed)
    random = np.random.default_rng(args.seed)
    train, dev, test = load_data(args)
    cloze = Cloze(
        Tokenizer(args.model, do_lower_case=True), *TASKS[args.task], maxlen=maxlen
    )
    trainer, model = build_models(args, cloze)
    print(f"before training: {accuracy(model, cloze, dev):.4f} on dev")
    generator = BucketedGenerator(
        train,
        args.batch_size,
        encode=lambda d: (cloze.example(d, d.get("label"), mask_rate, random), None),
        buckets=buckets,
    )
    evaluation = Evaluation(
        lambda _: {"accuracy": accuracy(model, cloze, dev)}, "accuracy", args.weights
    )
    trainer.fit(
        generator.forfit(),
        steps_per_epoch=2 if args.smoke else len(generator),
        epochs=1 if args.smoke else args.epochs,
        callbacks=[evaluation],
        shuffle=False,
        verbose=2,
    )
    trainer.load_weights(args.weights)
    best = {"dev": evaluation.best, "test": accuracy(model, cloze, test)}
    print("best:", best)
    return best


if __name__ == "__main__":
    main()
