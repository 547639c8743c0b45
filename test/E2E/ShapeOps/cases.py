#!/usr/bin/env python3
#===- cases.py - Operators of shapes, indices and order against a peer ------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Compiles and runs one-node models that the ONNX test data lacks (dynamic and
empty shapes, axes and extents that are data, all reductions and directions), as
they are and with every dimension dynamic, and compares with onnxruntime, or with
onnx.reference where that lacks the operator. Then runs what must fail, and
compares the messages.

Usage: cases.py WEFT-PROGRAM"""

import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh
from onnx.reference import ReferenceEvaluator

weft = sys.argv[1]
folder = tempfile.TemporaryDirectory()
root = folder.name
rng = np.random.default_rng(7)
count = 0
N = h.make_node


def f(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def I(*values):
    return np.array(values, np.int64)


def case(name, nodes, inputs, opset=18, consts={}, dyn=(), outs=("y",), oracle="ort", domains=()):
    """Writes a case; the inputs in `dyn` have free dimensions."""
    global count
    nodes = nodes if isinstance(nodes, list) else [nodes]

    def shape(key, value):
        return [f"{key}_{i}" for i in range(value.ndim)] if key in dyn else value.shape

    graph_inputs = [
        h.make_tensor_value_info(k, h.np_dtype_to_tensor_dtype(v.dtype), shape(k, v))
        for k, v in inputs.items()
    ]
    constants = [nh.from_array(np.asarray(v), k) for k, v in consts.items()]
    opsets = [h.make_opsetid("", opset)] + [h.make_opsetid(d, 1) for d in domains]

    def model(outputs):
        graph = h.make_graph(nodes, "g", graph_inputs, outputs, constants)
        return h.make_model(graph, opset_imports=opsets, ir_version=8)

    open_model = model([h.make_empty_tensor_value_info(o) for o in outs])
    if oracle == "ref":
        results = ReferenceEvaluator(open_model).run(None, inputs)
    else:
        options = ort.SessionOptions()
        options.log_severity_level = 4
        results = ort.InferenceSession(open_model.SerializeToString(), options).run(None, inputs)
    results = [np.asarray(r) for r in results]
    typed = [
        h.make_tensor_value_info(o, h.np_dtype_to_tensor_dtype(r.dtype), [None] * r.ndim)
        for o, r in zip(outs, results)
    ]
    path = f"{root}/{count:03d}_{name}"
    count += 1
    os.makedirs(path + "/test_data_set_0")
    onnx.save(model(typed), path + "/model.onnx")
    for kind, values in (("input", inputs.items()), ("output", zip(outs, results))):
        for i, (key, value) in enumerate(values):
            with open(f"{path}/test_data_set_0/{kind}_{i}.pb", "wb") as file:
                file.write(nh.from_array(value, key).SerializeToString())


# fmt: off
# slice
for t in range(14):
    x=f(5,6,3); ax=rng.permutation(3)[:2]; st=rng.integers(-8,8,2); en=rng.integers(-8,8,2); sp=rng.choice([-3,-2,-1,1,2,3],2)
    kw=dict(starts=st.astype(np.int64),ends=en.astype(np.int64),axes=ax.astype(np.int64),steps=sp.astype(np.int64))
    n=N('Slice',['x','starts','ends','axes','steps'],['y'])
    if t%3==0: case(f'slice_c',n,{'x':x},consts=kw)
    elif t%3==1: case(f'slice_cd',n,{'x':x},consts=kw,dyn=('x',))
    else: case(f'slice_d',n,{'x':x,**kw},dyn=('x',))
case('slice_empty',N('Slice',['x','s','e'],['y']),{'x':f(0,4)},consts=dict(s=I(0,1),e=I(5,3)),dyn=('x',))
case('slice_emptyneg',N('Slice',['x','s','e','a','t'],['y']),{'x':f(0,4)},consts=dict(s=I(-1),e=I(-99),a=I(0),t=I(-1)),dyn=('x',))
case('slice_rev',N('Slice',['x','s','e','a','t'],['y']),{'x':f(4,4)},consts=dict(s=I(-1),e=I(-2**63),a=I(0),t=I(-1)),dyn=('x',))
case('slice9',N('Slice',['x'],['y'],starts=[1,-3],ends=[2**31-1,-1],axes=[0,1]),{'x':f(4,5)},opset=9,dyn=('x',))
# pads
for t,(mode,p) in enumerate([('constant',(1,2,-1,0)),('constant',(-1,0,0,-2)),('edge',(2,3,1,2)),('reflect',(1,2,2,1)),('wrap',(1,2,2,1)),('wrap',(0,5,7,3)),('edge',(-1,2,1,-1)),('reflect',(0,3,2,0))]):
    for dyn in (0,1):
        x=f(4,5); n=N('Pad',['x','p','v'] if mode=='constant' else ['x','p'],['y'],mode=mode)
        c=dict(p=I(*p));  
        if mode=='constant': c['v']=np.float32(2.5)
        if dyn: case('pad_'+mode,n,{'x':x,**{k:np.asarray(v) for k,v in c.items()}},opset=19,dyn=('x',),oracle='ort')
        else: case('pad_'+mode,n,{'x':x},opset=19,consts=c,oracle='ort')
case('pad_axes',N('Pad',['x','p','','a'],['y']),{'x':f(2,3,4),'p':I(1,2,0,1),'a':I(-1,0)},opset=19,dyn=('x',))
case('pad2',N('Pad',['x'],['y'],pads=[1,0,0,2],mode='reflect'),{'x':f(3,4)},opset=10)
case('padi',N('Pad',['x','p','v'],['y']),{'x':I(1,2,3)},consts=dict(p=I(1,1),v=np.int64(7)))
# split/concat
case('split18',N('Split',['x'],['a','b','c'],num_outputs=3,axis=1),{'x':f(2,7)},outs=('a','b','c'),dyn=('x',))
case('split2',N('Split',['x'],['a','b'],axis=0,split=[3,1]),{'x':f(4,2)},opset=11,outs=('a','b'))
case('split2e',N('Split',['x'],['a','b'],axis=-1),{'x':f(4,6)},opset=11,outs=('a','b'),dyn=('x',))
case('concat',N('Concat',['x','z','w'],['y'],axis=-1),{'x':f(2,3),'z':f(2,0),'w':f(2,4)},dyn=('x','z','w'))
case('ccp',N('CenterCropPad',['x','s'],['y'],axes=[0,2]),{'x':f(5,3,4),'s':I(2,7)},dyn=('x',),oracle='ref')
case('ccp2',N('CenterCropPad',['x','s'],['y']),{'x':f(5,4)},consts=dict(s=I(8,3)),oracle='ref')
# shape chains
case('chain',[N('Shape',['x'],['s']),N('Gather',['s','i0'],['b'],axis=0),N('Unsqueeze',['b','z'],['b1']),N('Concat',['b1','m'],['t'],axis=0),N('Reshape',['x','t'],['y'])],{'x':f(3,4,6)},consts=dict(i0=np.int64(0),z=I(0),m=I(-1,8)),dyn=('x',))
case('chain2',[N('Shape',['x'],['s']),N('Slice',['s','a','b'],['t']),N('Expand',['o','t'],['y'])],{'x':f(3,4,6)},consts=dict(a=I(-2),b=I(9),o=f(1)),dyn=('x',))
case('chain3',[N('Shape',['x'],['s']),N('ConstantOfShape',['s'],['y'],value=nh.from_array(np.array([3],np.int64)))],{'x':f(3,0,6)},dyn=('x',))
case('chain4',[N('Shape',['x'],['s']),N('Gather',['s','i'],['n']),N('Range',['z','n','d'],['y'])],{'x':f(3,5)},consts=dict(i=np.int64(1),z=np.int64(0),d=np.int64(2)),dyn=('x',))
case('reshape0',N('Reshape',['x','s'],['y'],allowzero=1),{'x':f(0,3),'s':I(3,0,5)},dyn=('x',))
case('reshape_z',N('Reshape',['x','s'],['y']),{'x':f(2,3,4),'s':I(0,-1)},dyn=('x',))
case('reshape_c',N('Reshape',['x','s'],['y']),{'x':f(2,3,4)},consts=dict(s=I(0,0,2,-1)),dyn=('x',))
case('reshape_sc',N('Reshape',['x','s'],['y']),{'x':f(1,1)},consts=dict(s=np.zeros(0,np.int64)),dyn=('x',))
case('squeeze',N('Squeeze',['x'],['y']),{'x':f(1,3,1)},)
case('squeeze_d',N('Squeeze',['x','a'],['y']),{'x':f(1,3,1),'a':I(-1,0)},dyn=('x',))
case('squeeze_alone',N('Squeeze',['x','a'],['y']),{'x':f(1,4,3),'a':I(0)},dyn=('x',))
case('squeeze_inner',N('Squeeze',['x','a'],['y']),{'x':f(4,1,3,2),'a':I(1)},dyn=('x',))
case('unsq',N('Unsqueeze',['x','a'],['y']),{'x':f(3,2),'a':I(-1,1)},dyn=('x',))
case('squeeze11',N('Squeeze',['x'],['y'],axes=[0]),{'x':f(1,3)},opset=11,dyn=('x',))
case('expand',N('Expand',['x','s'],['y']),{'x':f(3,1),'s':I(2,1,4)},dyn=('x',))
case('expand0',N('Expand',['x','s'],['y']),{'x':f(1,3),'s':I(0,3)},dyn=('x',))
case('tile',N('Tile',['x','r'],['y']),{'x':f(3,2),'r':I(2,3)},dyn=('x',))
case('tile0',N('Tile',['x','r'],['y']),{'x':f(3,2),'r':I(0,3)})
case('transpose',N('Transpose',['x'],['y'],perm=[2,0,1]),{'x':f(3,2,4).astype(np.float16)},dyn=('x',))
case('flatten0',N('Flatten',['x'],['y'],axis=0),{'x':f(3,2,4)},dyn=('x',))
case('revseq',N('ReverseSequence',['x','l'],['y'],batch_axis=0,time_axis=1),{'x':f(3,5,2),'l':I(1,5,3)},dyn=('x','l'))
case('trilu',N('Trilu',['x','k'],['y'],upper=0),{'x':rng.integers(0,9,(2,4,5)),'k':np.array(1)},dyn=('x',))
case('d2s',N('DepthToSpace',['x'],['y'],blocksize=2,mode='CRD'),{'x':f(1,8,2,3)},dyn=('x',))
case('s2d',N('SpaceToDepth',['x'],['y'],blocksize=2),{'x':f(1,2,4,6)},dyn=('x',))
# constants
case('range_f',N('Range',['a','b','c'],['y']),{'a':np.array(1,np.float32),"b":np.array(-2.3,np.float32),"c":np.array(-0.5,np.float32)})
case('range_d',N('Range',['a','b','c'],['y']),{'a':np.array(1,np.float64),'b':np.array(4,np.float64),'c':np.array(0.3,np.float64)})
case('range_i',N('Range',['a','b','c'],['y']),{'a':np.array(10,np.int32),'b':np.array(-4,np.int32),'c':np.array(-3,np.int32)})
case('range_e',N('Range',['a','b','c'],['y']),{'a':np.array(10,np.int64),'b':np.array(20,np.int64),'c':np.array(-3,np.int64)})
for t,(a,b,c) in enumerate([(-2**62,2**62-1,2**61),(2**62-1,-2**62,-2**61),(5,-7,-2**63),(5,-2**63,1),(-7,2**63-1,-1),(-2**63,-2**63+3,1)]):
    bounds={'a':np.array(a,np.int64),'b':np.array(b,np.int64),'c':np.array(c,np.int64)}
    case('range_wide',N('Range',['a','b','c'],['y']),bounds,oracle='ref')
    case('range_wide_c',N('Range',['a','b','c'],['y']),{'x':f(1)},consts=bounds,oracle='ref')
case('range_big',N('Range',['a','b','c'],['y']),{'x':f(1)},consts=dict(a=np.int64(0),b=np.int64(1000),c=np.int64(3)))
for k in (-1,0,2): case('eye',N('EyeLike',['x'],['y'],k=k,dtype=T.INT32),{'x':f(3,5)},dyn=('x',))
case('onehot',N('OneHot',['i','d','v'],['y'],axis=1),{'i':I(0,-1,2,7,-9),'d':I(4),'v':np.array([2,5],np.float32)},dyn=('i',))
case('onehot_f',N('OneHot',['i','d','v'],['y']),{'i':np.array([[0,-1],[2,3]],np.float32)},consts=dict(d=np.float32(4),v=np.array([0,1],np.float32)))
case('cos',N('ConstantOfShape',['s'],['y'],value=nh.from_array(np.array([1],np.uint8))),{'s':I(2,3)})
case('const_floats',[N('Constant',[],['c'],value_floats=[1.,2.,3.]),N('Concat',['x','c'],['y'],axis=0)],{'x':f(2)})
case('const_int',[N('Constant',[],['c'],value_int=1),N('Gather',['x','c'],['y'],axis=0)],{'x':f(4,3)})
# gather
for dt in (np.float32,np.float16,np.int8,np.uint64,np.bool_):
    x=rng.integers(0,2,(4,5,3)).astype(dt)
    case('gather',N('Gather',['x','i'],['y'],axis=1),{'x':x,'i':np.array([[0,-1],[3,2]],np.int32)},dyn=('x','i'))
case('gather0',N('Gather',['x','i'],['y'],axis=0),{'x':f(4,3),'i':I(3,-4,0)},dyn=('x','i'))
case('gather_s',N('Gather',['x','i'],['y'],axis=1),{'x':f(4,3),'i':np.array(-1)},dyn=('x',))
case('gather_c',N('Gather',['x','i'],['y'],axis=1),{'x':f(4,3)},consts=dict(i=np.array(-2)),dyn=('x',))
case('gather_e',N('Gather',['x','i'],['y'],axis=0),{'x':f(4,3),'i':np.zeros((0,2),np.int64)},dyn=('x','i'))
case('gatherel',N('GatherElements',['x','i'],['y'],axis=1),{'x':f(4,3),'i':np.array([[0,-1,2,1],[1,1,0,-3]])},dyn=('x','i'))
case('gathernd',N('GatherND',['x','i'],['y'],batch_dims=1),{'x':f(2,3,4),'i':np.array([[[-1],[0]],[[2],[1]]])},dyn=('x',))
case('gathernd2',N('GatherND',['x','i'],['y']),{'x':f(2,3,4),'i':np.array([[1,-1],[0,2]])},dyn=('x','i'))
case('compress',N('Compress',['x','c'],['y'],axis=-1),{'x':f(2,4),'c':np.array([1,0,1],bool)},dyn=('x','c'))
case('compress_n',N('Compress',['x','c'],['y']),{'x':f(2,4),'c':np.array([0,0,0,0],bool)},dyn=('x','c'))
for dt in (np.float32,np.int64,np.bool_,np.int32): case('nonzero',N('NonZero',['x'],['y']),{'x':rng.integers(0,2,(3,4,2)).astype(dt)},dyn=('x',))
case('nonzero_chain',[N('NonZero',['x'],['n']),N('Transpose',['n'],['t']),N('GatherND',['x','t'],['y'])],{'x':rng.integers(0,2,(3,4)).astype(np.float32)},dyn=('x',))
case('afe',N('ArrayFeatureExtractor',['x','i'],['y'],domain='ai.onnx.ml'),{'x':f(3,5),'i':I(0,4,2)},dyn=('x',),domains=('ai.onnx.ml',))
# unique
for srt in (0,1):
    case('unique',N('Unique',['x'],['y','i','v','c'],sorted=srt),{'x':rng.integers(-3,3,(4,5)).astype(np.float32)},dyn=('x',),outs=('y','i','v','c'))
    case('unique_i',N('Unique',['x'],['y','i','v','c'],sorted=srt),{'x':rng.integers(-3,3,(9,))},outs=('y','i','v','c'))
    for ax in (0,1,-1): case('unique_ax',N('Unique',['x'],['y','i','v','c'],sorted=srt,axis=ax),{'x':rng.integers(0,2,(6,2,2)).astype(np.float32)},dyn=('x',),outs=('y','i','v','c'))
# scatter
for red in ('none','add','mul','min','max'):
    for dt in (np.float32,np.int32,np.float16 if red!='x' else 0):
        x=rng.integers(-4,5,(4,5)).astype(dt); u=rng.integers(-4,5,(3,2)).astype(dt)
        idx=np.array([[0,1],[0,2],[3,-1]]) if red!='none' else np.array([[0,1],[1,2],[3,-1]])
        case('scatel_'+red,N('ScatterElements',['x','i','u'],['y'],axis=0,reduction=red),{'x':x,'i':idx,'u':u},dyn=('x','i','u'),oracle='ref' if dt==np.float16 else 'ort')
        u2=rng.integers(-4,5,(2,5)).astype(dt)
        case('scatnd_'+red,N('ScatterND',['x','i','u'],['y'],reduction=red),{'x':x,'i':np.array([[1],[1]] if red!='none' else [[1],[-1]]),'u':u2},dyn=('x','i','u'),oracle='ref' if dt==np.float16 else 'ort')
# topk
for dt in (np.float32,np.int64,np.uint8,np.float16):
    for lg in (0,1):
        case('topk',N('TopK',['x','k'],['y','i'],axis=1,largest=lg),{'x':rng.integers(0,6,(3,7,2)).astype(dt),'k':I(4)},dyn=('x',),outs=('y','i'))
case('topk1',N('TopK',['x'],['y','i'],k=2),{'x':f(3,7)},opset=9,outs=('y','i'))
case('topk0',N('TopK',['x','k'],['y','i']),{'x':f(3,7),'k':I(0)},outs=('y','i'))
# nms
for t in range(6):
    b=rng.random((2,12,4)).astype(np.float32); s=rng.random((2,3,12)).astype(np.float32)
    case('nms',N('NonMaxSuppression',['b','s','m','o','t'],['y'],center_point_box=t%2),{'b':b,'s':s,'m':I(4),'o':np.array([0.2+0.1*t],np.float32),'t':np.array([0.3],np.float32)},dyn=('b','s'))
# many boxes, ties of scores and of overlaps, more slots than boxes and fewer, no boxes, no limit on scores
for t,(n,most) in enumerate([(300,1000),(300,7),(257,2**40),(0,5),(1,5),(40,0),(40,-1)]):
    lo=rng.integers(0,30,(2,n,2)); b=np.concatenate([lo,lo+rng.integers(-2,9,(2,n,2))],2).astype(np.float32)/4; s=rng.integers(0,8,(2,5,n)).astype(np.float32)/8
    for thr in ((None,0.5),(-1.,0.875))[t%2]:
        limits={'m':I(most),'o':np.array([0.5 if t%2 else 0.],np.float32),**({} if thr is None else {'t':np.array([thr],np.float32)})}
        case('nms_ties',N('NonMaxSuppression',['b','s',*limits],['y'],center_point_box=t%2),{'b':b,'s':s,**limits},dyn=('b','s'))
case('nms3',N('NonMaxSuppression',['b','s','m'],['y']),{'b':b,'s':s},consts=dict(m=I(3)))
# sequences
case('seq',[N('SequenceConstruct',['x','z'],['q']),N('SequenceInsert',['q','x','p'],['r']),N('ConcatFromSequence',['r'],['y'],axis=1)],{'x':f(2,3),'z':f(2,1)},consts=dict(p=np.int64(0)),dyn=('x','z'))
case('seq2',[N('SplitToSequence',['x','s'],['q'],axis=0),N('SequenceErase',['q','p'],['e']),N('SequenceAt',['e','p'],['a']),N('SequenceLength',['e'],['n']),N('ConcatFromSequence',['e'],['y'],axis=0)],{'x':f(7,2)},consts=dict(s=np.int64(3),p=np.int64(-1)),outs=('y','a','n'))
case('seq3',[N('SplitToSequence',['x'],['q'],axis=0,keepdims=0),N('ConcatFromSequence',['q'],['y'],axis=1,new_axis=1)],{'x':f(4,2)})
# n-grams
pool=dict(pool_int64s=[2,3,5,4, 5,6,7,8,6,7,2,2, 5,6,7],ngram_counts=[0,4,12],ngram_indexes=[3,1,0,9,2,4,8,5,6])
for t,(mode,lo,hi,skip) in enumerate([('TF',1,1,0),('TF',1,2,5),('TF',2,3,1),('IDF',1,3,2),('TFIDF',2,2,0),('TFIDF',1,3,2**31-1)]):
    for dt in (np.int32,np.int64):
        for x in (rng.integers(2,9,(3,17)),rng.integers(2,9,(11,)),rng.integers(2,9,(2,1))):
            case('tfidf',N('TfIdfVectorizer',['x'],['y'],mode=mode,min_gram_length=lo,max_gram_length=hi,max_skip_count=skip,**pool,**(dict(weights=[0.5*k+1 for k in range(9)]) if t>2 else {})),{'x':x.astype(dt)},dyn=('x',) if t%2 else ())
# bigger, tiled
x=f(70,130)
case('big_slice',N('Slice',['x','s','e','a','t'],['y']),{'x':x},consts=dict(s=I(3,-1),e=I(69,-131),a=I(0,1),t=I(3,-2)),dyn=('x',))
case('big_gather',N('Gather',['x','i'],['y'],axis=1),{'x':x,'i':rng.integers(-130,130,(90,))},dyn=('x','i'))
case('big_pad',N('Pad',['x','p'],['y']),{'x':x},consts=dict(p=I(3,-5,7,9)),dyn=('x',))
case('big_topk',N('TopK',['x','k'],['y','i']),{'x':x,'k':I(17)},dyn=('x',),outs=('y','i'))
case('big_concat',N('Concat',['x','x','z'],['y'],axis=1),{'x':x,'z':f(70,33)},dyn=('x',))
case('big_transpose',N('Transpose',['x'],['y']),{'x':x},dyn=('x',))
case('big_unique',N('Unique',['x'],['y','i','v','c']),{'x':rng.integers(0,200,(600,))},dyn=('x',),outs=('y','i','v','c'))
# fmt: on

for variant in ([], ["--variant=dynamic"]):
    run = subprocess.run([weft, "check", root, *variant], capture_output=True, text=True)
    print(run.stdout[-4000:], run.stderr[-2000:])
    # Dynamic lengths can decide ranks: those are unsupported, never wrong.
    if run.returncode not in ((0, 3) if variant else (0,)):
        sys.exit(f"weft check {' '.join(variant)} gave {run.returncode}")

# What fails: (node, inputs, values, constants, rank of the output, message).
F, L = T.FLOAT, T.INT64
# fmt: off
failures = [
    (N('Gather', ['x', 'i'], ['y'], axis=1), [('x', F, ['a', 3]), ('i', L, [2, 2])], ['x=2x3xf32=1', 'i=2x2xi64=0 1 5 -9'], {}, 3, 'index 5 is out of range for an extent of 3'),
    (N('Gather', ['x', 'i'], ['y'], axis=0), [('x', F, ['a', 3]), ('i', L, [])], ['x=2x3xf32=1', 'i=i64=2'], {}, 1, 'index 2 is out of range for an extent of 2'),
    (N('Gather', ['x', 'i'], ['y'], axis=0), [('x', F, ['a', 3]), ('i', L, [2])], ['x=0x3xf32', 'i=2xi64=0 0'], {}, 2, 'index 0 is out of range for an extent of 0'),
    (N('Gather', ['x', 'i'], ['y'], axis=0), [('x', F, ['a', 3]), ('i', L, [])], ['x=0x3xf32', 'i=i64=0'], {}, 1, 'index 0 is out of range for an extent of 0'),
    (N('Gather', ['x', 'i'], ['y'], axis=1), [('x', F, [3, 'a']), ('i', L, [1, 1])], ['x=3x0xf32', 'i=1x1xi64=-1'], {}, 3, 'index -1 is out of range for an extent of 0'),
    (N('GatherElements', ['x', 'i'], ['y'], axis=0), [('x', F, ['a', 3]), ('i', L, [1, 3])], ['x=0x3xf32', 'i=1x3xi64=0'], {}, 2, 'index 0 is out of range for an extent of 0'),
    (N('ScatterND', ['x', 'i', 'u'], ['y']), [('x', F, ['a', 3]), ('i', L, [1, 1]), ('u', F, [1, 3])], ['x=0x3xf32', 'i=1x1xi64=0', 'u=1x3xf32=1'], {}, 2, 'index 0 is out of range for an extent of 0'),
    (N('GatherND', ['x', 'i'], ['y']), [('x', F, ['a', 3]), ('i', L, [2, 2])], ['x=2x3xf32=1', 'i=2x2xi64=0 1 1 3'], {}, 1, 'index 3 is out of range for an extent of 3'),
    (N('ScatterND', ['x', 'i', 'u'], ['y']), [('x', F, ['a', 3]), ('i', L, [1, 1]), ('u', F, [1, 3])], ['x=2x3xf32=1', 'i=1x1xi64=-3', 'u=1x3xf32=1'], {}, 2, 'index -3 is out of range for an extent of 2'),
    (N('ConstantOfShape', ['s'], ['y']), [('s', L, [1])], ['s=1xi64=1152921504606846976'], {}, 1, 'more than 2^44 elements'),
    (N('ConstantOfShape', ['s'], ['y']), [('s', L, [2])], ['s=2xi64=3 -1'], {}, 2, 'an extent of -1'),
    (N('ConstantOfShape', ['s'], ['y']), [('s', L, [2])], ['s=2xi64=4294967296 4294967296'], {}, 2, 'more than 2^44 elements'),
    (N('ConstantOfShape', ['s'], ['y']), [('x', L, [1])], ['x=1xi64=1'], {'s': I(2**60)}, 1, 'more than 2^44 elements'),
    (N('Reshape', ['x', 's'], ['y']), [('x', F, ['a', 3]), ('s', L, [2])], ['x=2x3xf32=1', 's=2xi64=4 -1'], {}, 2, 'cannot reshape 6 elements to 4'),
    (N('Reshape', ['x', 's'], ['y']), [('x', F, ['a', 3]), ('s', L, [2])], ['x=2x3xf32=1', 's=2xi64=-1 -1'], {}, 2, '-1 2 times'),
    (N('Tile', ['x', 'r'], ['y']), [('x', F, ['a']), ('r', L, [1])], ['x=2xf32=1', 'r=1xi64=-1'], {}, 1, '-1 repeats'),
    (N('TopK', ['x', 'k'], ['y', 'i']), [('x', F, ['a']), ('k', L, [1])], ['x=2xf32=1', 'k=1xi64=3'], {}, 1, 'the top 3 of 2 elements'),
    (N('Split', ['x', 's'], ['y', 'z']), [('x', F, ['a']), ('s', L, [2])], ['x=4xf32=1', 's=2xi64=3 2'], {}, 1, 'parts of 5 in sum for an extent of 4'),
    (N('Slice', ['x', 's', 'e', 'a', 't'], ['y']), [('x', F, ['a']), ('t', L, [1])], ['x=4xf32=1', 't=1xi64=0'], {'s': I(0), 'e': I(3), 'a': I(0)}, 1, 'a step of 0'),
    (N('Range', ['a', 'b', 'c'], ['y']), [('a', F, []), ('b', F, []), ('c', F, [])], ['a=f32=0', 'b=f32=1', 'c=f32=0'], {}, 1, 'counts without end'),
    (N('Range', ['a', 'b', 'c'], ['y']), [('a', L, []), ('b', L, []), ('c', L, [])], [f'a=i64={-2**63}', f'b=i64={2**63-1}', 'c=i64=1'], {}, 1, 'counts from -9223372036854775808 to 9223372036854775807, which are 2^63 or more apart'),
    (N('Range', ['a', 'b', 'c'], ['y']), [('a', L, []), ('c', L, [])], [f'a=i64={2**62}', 'c=i64=-3'], {'b': np.int64(-2**62)}, 1, 'which are 2^63 or more apart'),
    (N('Range', ['a', 'b', 'c'], ['y']), [('x', L, [])], ['x=i64=0'], {'a': np.int64(-2**63), 'b': np.int64(2**63-1), 'c': np.int64(1)}, 1, 'which are 2^63 or more apart'),
    (N('Range', ['a', 'b', 'c'], ['y']), [('a', L, []), ('b', L, []), ('c', L, [])], ['a=i64=0', f'b=i64={2**63-1}', 'c=i64=1'], {}, 1, 'more than 2^44 elements'),
    *[(N(kind, ['x', 'w', 'r', '', 'n'], ['y'], hidden_size=2, direction=direction), [('x', F, ['s', 2, 1]), ('n', T.INT32, [2])], ['x=3x2x1xf32=1', f'n=2xi32=3 {length}'], {'w': f(1, 2 * gates, 1), 'r': f(1, 2 * gates, 2)}, 4, 'has a length that is not in 0 to 3 (element 1 of sequence_lens)') for kind, gates in (('RNN', 1), ('GRU', 3), ('LSTM', 4)) for length in (4, -1) for direction in ('forward', 'reverse')],
    (N('GRU', ['x', 'w', 'r', '', 'n'], ['y'], hidden_size=2), [('x', F, [3, 2, 1])], ['x=3x2x1xf32=1'], {'w': f(1, 6, 1), 'r': f(1, 6, 2), 'n': np.array([3, 4], np.int32)}, 4, 'has a length of 4 in sequence_lens, expected 0 to 3'),
    (N('Pad', ['x', 'p'], ['y']), [('x', F, ['a']), ('p', L, [2])], ['x=4xf32=1', 'p=2xi64=-3 -2'], {}, 1, 'an extent of -1 is left'),
    (N('Squeeze', ['x', 'p'], ['y']), [('x', F, ['a', 2]), ('p', L, [1])], ['x=1x2xf32=1', 'p=1xi64=1'], {}, 1, 'a dimension of extent 2, expected 1'),
    (N('Expand', ['x', 'p'], ['y']), [('x', F, ['a']), ('p', L, [1])], ['x=3xf32=1', 'p=1xi64=2'], {}, 1, 'cannot broadcast extents 3 and 2'),
    (N('Concat', ['x', 'p'], ['y'], axis=0), [('x', F, ['a', 'b']), ('p', F, ['c', 'd'])], ['x=3x2xf32=1', 'p=3x3xf32=2'], {}, 2, 'tensors of extents 2 and 3'),
]
# fmt: on
path = root + "/failure.onnx"
for node, inputs, values, constants, rank, message in failures:
    graph = h.make_graph(
        [node], "g", [h.make_tensor_value_info(*i) for i in inputs],
        [h.make_tensor_value_info("y", inputs[0][1] if node.op_type == "Range" else F, [None] * rank)],
        [nh.from_array(v, k) for k, v in constants.items()])
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 18)], ir_version=8), path)
    run = subprocess.run([weft, "run", "--no-cache", "--quiet", path, *("--input=" + v for v in values)],
                         capture_output=True, text=True, timeout=120)
    if run.returncode != 1 or message not in run.stderr:
        sys.exit(f"{node.op_type}: expected '{message}' and exit code 1, got {run.returncode}:\n{run.stderr}")
print(f"{count} cases and {len(failures)} failures as expected")
