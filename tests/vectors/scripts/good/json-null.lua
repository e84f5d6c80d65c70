-- expect: returns true
return json.decode("null") == json.null and tostring(json.null) == "null"
