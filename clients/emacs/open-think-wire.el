;;; open-think-wire.el --- What passes between Emacs and the daemon  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Commentary:

;; Values that are fit to be sent, and bytes that jsonrpc.el can read.

;;; Code:

(require 'cl-lib)
(require 'seq)
(require 'subr-x)

(defconst open-think--longest-message (* 16 1024 1024)
  "Bytes that the daemon reads at once, unless its configuration says otherwise.")

(defconst open-think--longest-complaint 4000
  "Characters of an error that are told.")

(defun open-think--plain-text (text)
  "TEXT with signs in place of bytes that belong to no character."
  (replace-regexp-in-string "[\ud800-\udfff\x110000-\x3fff7f\x3fff80-\x3fffff]" "\ufffd" (string-to-multibyte text) t t))

(defun open-think--plain (value)
  "VALUE, which is to be JSON, with nothing but characters in its strings."
  (cond ((stringp value) (open-think--plain-text value))
        ((proper-list-p value) (mapcar #'open-think--plain value))
        ((vectorp value) (seq-into (mapcar #'open-think--plain value) 'vector))
        (t value)))

(defun open-think--sendable (value)
  "VALUE as it can be sent; signal an error if it cannot."
  (let* ((plain (open-think--plain value))
         (length (string-bytes (json-serialize (vector plain) :null-object nil :false-object :json-false))))
    ;; What is around it needs room too.
    (when (> (+ length 1000) open-think--longest-message)
      (error "It has %d bytes, and may have %d" length open-think--longest-message))
    plain))

(defun open-think--brief (failure)
  "The message of FAILURE, an error that was signalled."
  (truncate-string-to-width (error-message-string failure) open-think--longest-complaint))

(defun open-think--guard (process)
  "Have the output of PROCESS read in its order.
While Emacs sends something large it reads, and the filter of Emacs 28
loses messages when it is entered again."
  (let ((filter (process-filter process))
        (unread "")
        (busy nil))
    (set-process-filter process
                        (lambda (process text)
                          (setq unread (concat unread text))
                          (unless busy
                            (setq busy t)
                            (unwind-protect
                                (let (next)
                                  (while (not (string-empty-p (setq next (open-think--whole unread))))
                                    (setq unread (substring unread (length next)))
                                    (funcall filter process (open-think--without-null next))))
                              (setq busy nil)))))))

(defun open-think--whole (text)
  "TEXT up to an escape that may go on in what comes next."
  (substring text 0 (string-match "\\\\+\\(?:u0\\{0,3\\}\\)?\\'" text)))

(defun open-think--without-null (text)
  "TEXT, in which a sign stands for the null character, which Emacs cannot read."
  (if (string-search "\\u0000" text)
      (replace-regexp-in-string "\\(\\\\+\\)u0000"
                                (lambda (escape)
                                  (if (cl-oddp (- (length escape) 5))
                                      (concat (substring escape 0 -4) "2400")
                                    escape))
                                text t t)
    text))

(provide 'open-think-wire)
;;; open-think-wire.el ends here
