-- expect: returns [1,2,true]
return {1, 2, true}
